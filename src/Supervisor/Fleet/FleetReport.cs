namespace Appliance.Supervisor.Fleet;

/// <summary>What the device tells its fleet's server of itself in one batch (docs/server.md).</summary>
/// <param name="At">When it was made.</param>
/// <param name="Health"><c>healthy</c>, <c>starting</c> or <c>unhealthy</c>.</param>
/// <param name="Reasons">Why, a line each.</param>
/// <param name="Log">Lines of the journal.</param>
internal sealed record FleetReport(DateTimeOffset At, string Health, IReadOnlyList<string> Reasons, IReadOnlyList<FleetLogLine> Log);

/// <summary>A line of the journal.</summary>
internal sealed record FleetLogLine(DateTimeOffset At, int Priority, string? Unit, string Text);
