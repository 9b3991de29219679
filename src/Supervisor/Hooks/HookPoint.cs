namespace Appliance.Supervisor.Hooks;

/// <summary>Where in an update hooks run.</summary>
internal enum HookPoint
{
    /// <summary>Before anything is written into the other slot. A failure cancels the update.</summary>
    PreInstall,

    /// <summary>The new version is in its slot, whole.</summary>
    PostInstall,

    /// <summary>Before the reboot into the new version. A failure cancels the reboot.</summary>
    PreReboot,

    /// <summary>The new version proved itself and is kept.</summary>
    PostCommit,

    /// <summary>The device is back on the old version.</summary>
    PostRollback,
}
