using System.Diagnostics;
using System.Text.Json.Nodes;
using Appliance.UpdateClient.Install;
using Supervisor.Tests.Boot.Pi;

namespace Appliance.SystemTests;

/// <summary>
/// The image for the Raspberry Pi, file by file. Its firmware runs on the hardware only: a model of its rules reads the very disk
/// image and says what it would start.
/// </summary>
public sealed class RaspberryPiTests(RaspberryPiImage image) : IClassFixture<RaspberryPiImage>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task TheDisk_HasTheBootPartitionsFirst_AndTheSlotsAfterThem()
    {
        await image.ReadyAsync();
        var table = await GptTable.ReadAsync(image.Disk, Token);

        Assert.Equal(["autoboot", "boot-a", "boot-b", "edge_1.0", "edge_1.0", "_empty", "_empty", "edge-data", "config"], table.Partitions.Select(partition => partition.Label));
        Assert.All(table.Partitions.Take(3), partition => Assert.Equal(new Guid("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"), partition.Type));
        var hash = (string)image.Record["rootHash"]!;
        Assert.Equal(hash, $"{table[4].Id:N}{table[5].Id:N}");
        // FAT16 and FAT32, as their boot sectors say (Microsoft's FAT specification, BS_FilSysType).
        Assert.Equal(["FAT16   ", "FAT32   ", "FAT32   "], table.Partitions.Take(3).Select((partition, index) => image.ReadText(partition.Offset + (index == 0 ? 54 : 82), 8)));
    }

    [Theory(Explicit = true)]
    [InlineData("pi4", "raspberrypi,4-model-b")]
    [InlineData("pi400", "raspberrypi,400")]
    [InlineData("cm4", "raspberrypi,4-compute-module")]
    [InlineData("pi5", "raspberrypi,5-model-b")]
    [InlineData("pi5-d0", "raspberrypi,5-model-b")]
    public async Task TheFirmware_StartsSlotA_WithAllThatItTakes(string name, string compatible)
    {
        await image.ReadyAsync();

        var boot = (await image.FirmwareAsync()).Restart().Start(Model(name));

        Assert.Equal((2, false), (boot.Partition, boot.Tryboot));
        Assert.Contains($" roothash={(string)image.Record["rootHash"]!}", boot.CommandLine, StringComparison.Ordinal);
        Assert.Contains(" systemd.verity_root_options=panic-on-corruption ", boot.CommandLine, StringComparison.Ordinal);
        Assert.Contains(compatible, System.Text.Encoding.ASCII.GetString(boot.DeviceTree), StringComparison.Ordinal);
        // A zstd frame (RFC 8878, section 3.1.1), which Debian's kernel unpacks.
        Assert.Equal(0xFD2FB528, BitConverter.ToUInt32(boot.Initramfs));
        Assert.Contains((string)image.Record["kernel"]!, System.Text.Encoding.ASCII.GetString(boot.Kernel), StringComparison.Ordinal);
    }

    /// <summary>With the pins of the first stepping's tree, the kernel of such a board falls over them.</summary>
    [Fact(Explicit = true)]
    public async Task ARaspberryPi5OfTheLaterStepping_GetsItsOwnDeviceTree()
    {
        await image.ReadyAsync();

        Assert.NotEmpty(new DeviceTree(await image.DeviceTreeAsync(PiModel.Pi5)).Find("brcm,bcm2712c0-pinctrl"));
        var tree = new DeviceTree(await image.DeviceTreeAsync(PiModel.Pi5LaterStepping));
        Assert.Empty(tree.Find("brcm,bcm2712c0-pinctrl"));
        Assert.NotEmpty(tree.Find("brcm,bcm2712d0-pinctrl"));
        Assert.NotEmpty(tree.Find("brcm,bcm2712d0-aon-pinctrl"));
    }

    [Fact(Explicit = true)]
    public async Task SlotB_HoldsNothing_AndAFailedTry_EndsInSlotA()
    {
        await image.ReadyAsync();
        var firmware = await image.FirmwareAsync();

        Assert.Contains("partition 3 has no boot.img", Assert.Throws<PiStopsException>(() => firmware.Restart("0 tryboot").Start(PiModel.Pi4)).Message, StringComparison.Ordinal);
        Assert.Equal(2, firmware.Restart().Start(PiModel.Pi4).Partition);
    }

    /// <summary>What an update brings is the whole of what the firmware loads: one file.</summary>
    [Fact(Explicit = true)]
    public async Task TheBundle_BringsTheSameBootFiles()
    {
        await image.ReadyAsync();
        var folder = Directory.CreateTempSubdirectory("pi-bundle").FullName;
        try
        {
            using var tar = Process.Start("tar", ["-C", folder, "-xf", image.Bundle, "payloads/boot.img.zst"]);
            await tar.WaitForExitAsync(Token);
            using var zstd = Process.Start("zstd", ["-q", "-d", Path.Combine(folder, "payloads/boot.img.zst")]);
            await zstd.WaitForExitAsync(Token);

            Assert.Equal((await image.PartitionAsync(2)).Read("boot.img"), await File.ReadAllBytesAsync(Path.Combine(folder, "payloads/boot.img"), Token));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// A driver that is missing on the way to a disk is a machine that finds no root: the device tree says which parts a disk hangs
    /// on, the kernel's lists which modules drive them, and each of those is in the initrd.
    /// </summary>
    [Theory(Explicit = true)]
    [InlineData("pi4", "brcm,bcm2711-emmc2")]
    [InlineData("pi4", "brcm,bcm2711-pcie")]
    [InlineData("pi4", "brcm,bcm2835-pm-wdt")]
    [InlineData("pi400", "brcm,bcm2711-emmc2")]
    [InlineData("cm4", "brcm,bcm2711-emmc2")]
    [InlineData("pi5", "brcm,bcm2712-sdhci")]
    [InlineData("pi5", "brcm,bcm2712-pcie")]
    [InlineData("pi5", "snps,dwc3")]
    [InlineData("pi5", "brcm,bcm2835-pm-wdt")]
    [InlineData("pi5-d0", "brcm,bcm2712-sdhci")]
    [InlineData("pi5-d0", "snps,dwc3")]
    public async Task TheInitrd_DrivesAllThatADiskHangsOn(string name, string compatible)
    {
        await image.ReadyAsync();
        var tree = new DeviceTree(await image.DeviceTreeAsync(Model(name)));
        var drivers = await image.DriversAsync();
        var initrd = await image.InitrdModulesAsync();

        var devices = tree.Find(compatible);
        Assert.NotEmpty(devices);
        foreach (var device in devices)
        {
            Assert.True(device.Compatible.Any(part => drivers.IsBuiltIn(part) || drivers.ModulesFor(part).Any(initrd.Contains)), $"nothing drives {device.Name}");
            foreach (var part in tree.Closure(device))
            {
                // The kernel goes from the most exact name to the least; parts whose drivers name no device are built in.
                var modules = part.Compatible.Select(drivers.ModulesFor).FirstOrDefault(found => found.Count > 0) ?? [];
                Assert.True(modules.Count == 0 || part.Compatible.Any(drivers.IsBuiltIn) || modules.Any(initrd.Contains), $"{device.Name} needs {part.Name} ({string.Join(", ", part.Compatible)}), which {string.Join(" or ", modules)} drives");
            }
        }
    }

    /// <summary>Debian's kernel keeps the word to itself; without it no update is ever tried.</summary>
    [Theory(Explicit = true)]
    [InlineData("0 tryboot", new[] { EmulatedPi.SetRebootFlags, EmulatedPi.NotifyReboot })]
    [InlineData("0 trybooty", new[] { EmulatedPi.NotifyReboot })]
    [InlineData("0", new[] { EmulatedPi.NotifyReboot })]
    public async Task ARestartsWord_ReachesTheFirmware(string parameter, string[] asked)
    {
        await image.ReadyAsync();

        Assert.Equal(asked, await image.RestartOnAnEmulatedPiAsync(parameter));
    }

    [Fact(Explicit = true)]
    public async Task TheRoot_LoadsTheModuleThatHandsItOver()
    {
        await image.ReadyAsync();
        await using var root = await image.MountRootAsync();
        var modules = Path.Combine(root.Folder, "usr/lib/modules", (string)image.Record["kernel"]!);

        Assert.True(File.Exists(Path.Combine(modules, "updates/appliance_tryboot.ko")));
        Assert.Contains("updates/appliance_tryboot.ko:", await File.ReadAllTextAsync(Path.Combine(modules, "modules.dep"), Token), StringComparison.Ordinal);
        Assert.Equal("appliance_tryboot\n", await File.ReadAllTextAsync(Path.Combine(root.Folder, "usr/lib/modules-load.d/appliance_tryboot.conf"), Token));
    }

    /// <summary>All else is the suite's, with its security updates.</summary>
    [Fact(Explicit = true)]
    public async Task TheKernelAlone_IsOfTheBackports()
    {
        await image.ReadyAsync();

        var backports = image.Packages.Where(package => package.Contains("~bpo", StringComparison.Ordinal)).ToList();

        Assert.Contains(backports, package => package.StartsWith("linux-image-arm64 ", StringComparison.Ordinal));
        Assert.All(backports, package => Assert.StartsWith("linux-", package, StringComparison.Ordinal));
    }

    /// <summary>What no device tree names: what is found on the buses, and what the root is made of.</summary>
    [Fact(Explicit = true)]
    public async Task TheInitrd_HasTheDriversOfWhatIsPluggedIn_AndOfTheRoot()
    {
        await image.ReadyAsync();
        var initrd = await image.InitrdModulesAsync();

        foreach (var driver in new[] { "xhci_pci", "xhci_plat_hcd", "usb_storage", "uas", "sd_mod", "nvme", "erofs", "dm_verity" })
            Assert.Contains(driver, initrd);
    }

    private static PiModel Model(string name) => name switch { "pi4" => PiModel.Pi4, "pi400" => PiModel.Pi400, "cm4" => PiModel.ComputeModule4, "pi5" => PiModel.Pi5, _ => PiModel.Pi5LaterStepping };
}
