namespace Appliance.Supervisor.Boot;

/// <summary>What a slot is worth to the boot loader.</summary>
internal enum SlotState
{
    /// <summary>It holds nothing that could be booted.</summary>
    Empty,

    /// <summary>It holds a version that has not proven itself; the boot loader counts its tries.</summary>
    Trial,

    /// <summary>It holds a version that was kept.</summary>
    Good,

    /// <summary>It holds a version that used up its tries or was given up: the boot loader takes it only when nothing else is left.</summary>
    Bad,
}
