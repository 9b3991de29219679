namespace Appliance.Supervisor.Updates;

/// <summary>What the latest look into a repository found.</summary>
/// <param name="At">When.</param>
/// <param name="Verdict"><c>upToDate</c>, <c>available</c>, <c>waiting</c> (for the rollout), <c>failedBefore</c>, <c>error</c>.</param>
/// <param name="Version">The version in question.</param>
/// <param name="Message">What went wrong, or empty.</param>
internal sealed record LastCheck(DateTimeOffset At, string Verdict, string? Version, string Message);
