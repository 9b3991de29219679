namespace Appliance.Supervisor.Health;

/// <summary>A check came into a state.</summary>
/// <param name="At">When, by the clock of then.</param>
/// <param name="State">The state.</param>
/// <param name="Message">The result that brought it there.</param>
internal sealed record CheckChange(DateTimeOffset At, CheckState State, string Message);
