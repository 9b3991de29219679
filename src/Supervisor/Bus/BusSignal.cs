namespace Appliance.Supervisor.Bus;

/// <summary>A signal as it arrived.</summary>
internal sealed record BusSignal(string Path, string Interface, string Member, IReadOnlyList<object> Arguments);
