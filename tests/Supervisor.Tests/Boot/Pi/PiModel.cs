namespace Supervisor.Tests.Boot.Pi;

/// <summary>What the firmware of a model does differently.</summary>
/// <param name="Filters">Sections of config.txt that it sees.</param>
/// <param name="DeviceTree">The tree it loads unless told otherwise, by the kernel's own name for it (<c>upstream_kernel=1</c>).</param>
/// <param name="StartFiles">The GPU firmware that it loads from the boot partition; none where the boot loader has it.</param>
/// <param name="Overlay">The overlay that it lays over the tree by itself where it is there (Raspberry Pi's firmware, issue 2018).</param>
internal sealed record PiModel(string[] Filters, string DeviceTree, string[] StartFiles, string? Overlay = null)
{
    public static PiModel Pi4 { get; } = new(["pi4"], "bcm2711-rpi-4-b.dtb", ["start4.elf", "fixup4.dat"]);

    public static PiModel Pi400 { get; } = new(["pi4", "pi400"], "bcm2711-rpi-400.dtb", ["start4.elf", "fixup4.dat"]);

    /// <summary>The firmware asks for Raspberry Pi's own name, which Debian's kernel does not have.</summary>
    public static PiModel ComputeModule4 { get; } = new(["pi4", "cm4"], "bcm2711-rpi-cm4.dtb", ["start4.elf", "fixup4.dat"]);

    public static PiModel Pi5 { get; } = new(["pi5"], "bcm2712-rpi-5-b.dtb", []);

    /// <summary>The later stepping of its chip, of which all newer ones are: the same tree, with what differs over it.</summary>
    public static PiModel Pi5LaterStepping { get; } = Pi5 with { Overlay = "bcm2712d0" };
}
