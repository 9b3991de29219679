namespace Appliance.Supervisor.Health;

/// <summary>The verdict, why, and the state of every check.</summary>
internal sealed record HealthReport(HealthState State, IReadOnlyList<string> Reasons, IReadOnlyList<CheckStatus> Checks);
