namespace Appliance.Supervisor.Systemd;

/// <summary>A unit as the manager lists it.</summary>
internal sealed record ManagedUnit(string Name, string Description, string LoadState, string ActiveState, string SubState)
{
    /// <summary>True while it starts for the first time; one that ended and waits for its restart is not starting.</summary>
    public bool IsStarting => ActiveState is "activating" or "reloading" && SubState != "auto-restart";
}
