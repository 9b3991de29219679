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

        Assert.Equal(["autoboot", "boot-a", "boot-b", "edge_1.0", "edge_1.0", "_empty", "_empty", "edge-data"], table.Partitions.Select(partition => partition.Label));
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
    public async Task TheFirmware_StartsSlotA_WithAllThatItTakes(string name, string compatible)
    {
        await image.ReadyAsync();
        var model = name switch { "pi4" => PiModel.Pi4, "pi400" => PiModel.Pi400, "cm4" => PiModel.ComputeModule4, _ => PiModel.Pi5 };

        var boot = (await image.FirmwareAsync()).Restart().Start(model);

        Assert.Equal((2, false), (boot.Partition, boot.Tryboot));
        Assert.Contains($" roothash={(string)image.Record["rootHash"]!}", boot.CommandLine, StringComparison.Ordinal);
        Assert.Contains(" systemd.verity_root_options=panic-on-corruption ", boot.CommandLine, StringComparison.Ordinal);
        Assert.Contains(compatible, System.Text.Encoding.ASCII.GetString(boot.DeviceTree), StringComparison.Ordinal);
        // A zstd frame (RFC 8878, section 3.1.1), which Debian's kernel unpacks.
        Assert.Equal(0xFD2FB528, BitConverter.ToUInt32(boot.Initramfs));
        Assert.Contains((string)image.Record["kernel"]!, System.Text.Encoding.ASCII.GetString(boot.Kernel), StringComparison.Ordinal);
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

    [Fact(Explicit = true)]
    public async Task TheInitrd_HasTheDriversOfTheBoardsDisks()
    {
        await image.ReadyAsync();
        var initrd = await image.UnpackInitrdAsync();

        Assert.StartsWith("070701", initrd, StringComparison.Ordinal); // cpio(5), the new ASCII format
        foreach (var driver in new[] { "sdhci-iproc", "gpio-regulator", "usb-storage", "nvme", "erofs", "dm-verity", "bcm2835_wdt" })
            Assert.Contains($"/{driver}.ko\0", initrd, StringComparison.Ordinal);
    }
}
