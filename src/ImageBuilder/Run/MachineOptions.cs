namespace Appliance.ImageBuilder.Run;

/// <summary>How a virtual machine is made.</summary>
internal sealed record MachineOptions
{
    /// <summary>The raw disk image; never written to.</summary>
    public required string Image { get; init; }

    /// <summary>qcow2 file that takes all writes; made when it is missing. Null throws them away at the end.</summary>
    public string? State { get; init; }

    /// <summary>Size of the virtual disk in bytes; the image's own when smaller.</summary>
    public long DiskSize { get; init; } = 8L << 30;

    /// <summary>Memory in bytes.</summary>
    public long Memory { get; init; } = 2L << 30;

    /// <summary>Number of processors.</summary>
    public int Processors { get; init; } = 2;

    /// <summary>Port on 127.0.0.1 that leads to the status page.</summary>
    public required int Port { get; init; }

    /// <summary>Port of the device at which the status page listens.</summary>
    public int PagePort { get; init; } = 443;

    /// <summary>False emulates even where the processor could do it itself.</summary>
    public bool AllowKvm { get; init; } = true;

    /// <summary>File the serial console is also written to, or null.</summary>
    public string? SerialLog { get; init; }

    /// <summary>True adds a root shell on a virtio port for tests, started by a unit that the firmware hands over: the image stays as it is.</summary>
    public bool GuestShell { get; init; }

    /// <summary>True lets the hardware watchdog reset an emulated machine too, which a loaded host may make too slow for it.</summary>
    public bool Watchdog { get; init; }

    /// <summary>True lets time pass in an emulated machine as it computes, on one processor: a loaded host makes it slow, and nothing in it late.</summary>
    public bool OwnTime { get; init; }

    /// <summary>What its hardware clock says at power-on, UTC; null for the host's time.</summary>
    public DateTime? Clock { get; init; }

    /// <summary>True lets it reach nobody; the status page is reached all the same.</summary>
    public bool Alone { get; init; }

    /// <summary>True adds a USB controller, for <see cref="VirtualMachine.PlugInAsync"/>.</summary>
    public bool Usb { get; init; }
}
