using System.Text;

namespace Supervisor.Tests.Boot.Pi;

/// <summary>
/// A model of how a Raspberry Pi's boot loader and firmware choose and load what they start, by Raspberry Pi's documentation
/// (config.txt: autoboot.txt, boot options, conditional filters; boot flow), since the firmware itself runs on the hardware only.
/// It is stricter than the firmware: what it does not know fails.
/// </summary>
/// <param name="partitions">The FAT partitions by their numbers.</param>
/// <param name="unpack">Opens a <c>boot.img</c>.</param>
internal sealed class PiFirmware(IReadOnlyDictionary<int, IPiFiles> partitions, Func<byte[], IPiFiles>? unpack = null)
{
    private const int LargestAutoboot = 512, LargestRamdisk = 96 << 20;
    private bool _tryboot;

    /// <summary>A restart with a parameter; <c>0 tryboot</c> sets the flag. A power cut is a restart without one. The kernel hands the parameter over (module <c>appliance_tryboot</c>, tested by its own system test).</summary>
    public PiFirmware Restart(string? parameter = null)
    {
        _tryboot = parameter == "0 tryboot";
        Assert.True(_tryboot || parameter is null, $"a restart with \"{parameter}\"");
        return this;
    }

    /// <summary>
    /// The partition that boots. The flag is cleared by being read. The first partition's <c>autoboot.txt</c> knows only
    /// <c>[all]</c>, <c>[none]</c> and <c>[tryboot]</c>, which any model sees alike.
    /// </summary>
    public (int Partition, bool Tryboot, bool SameFiles) Choose()
    {
        var tryboot = _tryboot;
        _tryboot = false;
        var file = partitions[1].Read("autoboot.txt");
        if (file?.Length > LargestAutoboot) file = null;
        var settings = PiSettings.Read(file, [], tryboot);
        return (settings.Number("boot_partition") ?? 1, tryboot, settings.Number("tryboot_a_b") == 1);
    }

    /// <summary>Starts a model.</summary>
    /// <exception cref="PiStopsException">There the firmware would stop, blinking.</exception>
    public PiBoot Start(PiModel model)
    {
        var (partition, tryboot, sameFiles) = Choose();
        var files = partitions.GetValueOrDefault(partition) ?? throw new PiStopsException($"there is no FAT partition {partition}");
        // tryboot_a_b=1: the partition is the switch, and the files in it have their usual names.
        var suffix = tryboot && !sameFiles ? "tryboot" : null;
        var outer = PiSettings.Read(files.Read(suffix is null ? "config.txt" : "tryboot.txt"), model.Filters, tryboot);
        if (outer.Number("boot_ramdisk") == 1)
        {
            var image = files.Read($"{suffix ?? "boot"}.img") ?? throw new PiStopsException($"partition {partition} has no {suffix ?? "boot"}.img");
            if (image.Length > LargestRamdisk) throw new PiStopsException($"boot.img has {image.Length} bytes");
            // All further files come from it, and in it tryboot_a_b is 1 implicitly.
            files = unpack!(image);
            outer = PiSettings.Read(files.Read("config.txt"), model.Filters, tryboot);
        }
        return Load(model, files, outer) with { Partition = partition, Tryboot = tryboot };
    }

    private static PiBoot Load(PiModel model, IPiFiles files, PiSettings settings)
    {
        foreach (var name in model.StartFiles) Require(files, name);
        var upstream = settings.Number("upstream_kernel") == 1;
        var kernelName = settings["kernel"] ?? "kernel8.img";
        var treeName = settings["device_tree"] ?? model.DeviceTree;
        // An os_prefix counts only where both kernel and tree are found with it.
        var prefix = settings["os_prefix"] ?? (upstream ? "upstream/" : "");
        if (files.Read(prefix + kernelName) is null || files.Read(prefix + treeName) is null) prefix = "";
        if (settings.Number("arm_64bit") == 0) throw new PiStopsException("the kernel would be started in 32-bit mode");
        var kernel = Require(files, prefix + kernelName);
        // "64-bit kernels may be uncompressed image files or a gzip archive": the header's magic (Linux, arm64 booting.rst), or gzip's.
        if (!kernel.AsSpan(56, 4).SequenceEqual("ARM\x64"u8) && !kernel.AsSpan(0, 2).SequenceEqual((ReadOnlySpan<byte>)[0x1f, 0x8b])) throw new PiStopsException($"{kernelName} is no arm64 kernel");
        var tree = Require(files, prefix + treeName);
        if (!tree.AsSpan(0, 4).SequenceEqual((ReadOnlySpan<byte>)[0xd0, 0x0d, 0xfe, 0xed])) throw new PiStopsException($"{treeName} is no device tree");
        return new PiBoot
        {
            Kernel = kernel,
            DeviceTree = tree,
            Overlay = model.Overlay is { } overlay ? files.Read($"overlays/{overlay}.dtbo") : null,
            Initramfs = settings.Initramfs is { } initramfs ? Require(files, prefix + initramfs) : [],
            CommandLine = Encoding.ASCII.GetString(Require(files, prefix + (settings["cmdline"] ?? "cmdline.txt"))).Split('\n')[0],
        };
    }

    private static byte[] Require(IPiFiles files, string name) => files.Read(name) is { Length: > 0 } content ? content : throw new PiStopsException($"{name} is missing");
}
