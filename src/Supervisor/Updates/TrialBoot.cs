namespace Appliance.Supervisor.Updates;

/// <summary>One boot of a version on trial.</summary>
/// <param name="BootId">The boot.</param>
/// <param name="StartedAt">When the supervisor of that boot started, by that boot's clock.</param>
/// <param name="Failures">The gating checks that failed when the verdict was unhealthy; empty when there was none.</param>
internal sealed record TrialBoot(string BootId, DateTimeOffset StartedAt, IReadOnlyList<string> Failures);
