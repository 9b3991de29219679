namespace Appliance.Supervisor.Systemd;

/// <summary>A unit as the manager lists it.</summary>
internal sealed record ManagedUnit(string Name, string Description, string ActiveState, string SubState);
