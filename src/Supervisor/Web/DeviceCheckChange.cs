namespace Appliance.Supervisor.Web;

/// <summary>A check came into a state at a time, with this result.</summary>
internal sealed record DeviceCheckChange(DateTimeOffset At, string State, string Message);
