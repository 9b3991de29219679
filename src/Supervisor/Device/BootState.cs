namespace Appliance.Supervisor.Device;

/// <summary>Where this boot stands with the boot loader's counting (systemd's Automatic Boot Assessment).</summary>
internal enum BootState
{
    /// <summary>The boot is counted and not blessed yet: one that fails brings the other slot back.</summary>
    Trial,

    /// <summary>The boot loader takes this entry for good.</summary>
    Good,

    /// <summary>Not booted by a boot loader that counts.</summary>
    Unknown,
}
