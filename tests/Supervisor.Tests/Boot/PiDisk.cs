using System.Diagnostics;
using Appliance.Core.Images;
using Appliance.Supervisor.Boot;
using Supervisor.Tests.Boot.Pi;

namespace Supervisor.Tests.Boot;

/// <summary>A Raspberry Pi's disk with two slots, and what its firmware says in the device tree. Slot a runs and is kept.</summary>
internal sealed class PiDisk : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pi");
    private readonly List<FatImage> _images = [];

    public PiDisk(string labelB = ImageIdentity.EmptyLabel, bool fat = false)
    {
        var (rootA, verityA) = ImageIdentity.PartitionIds(SlotDisk.Hash1);
        var (rootB, verityB) = ImageIdentity.PartitionIds(SlotDisk.Hash2);
        using (var file = File.Create(Path)) file.SetLength(32 << 20);
        using var process = Process.Start(new ProcessStartInfo("sfdisk", ["--quiet", Path]) { RedirectStandardInput = true })!;
        process.StandardInput.Write($"""
            label: gpt
            size=1M, name="autoboot"
            size=2M, name="boot-a"
            size=2M, name="boot-b"
            size=4M, type=b921b045-1df0-41c3-af44-4c6f280d3fae, uuid={rootA}, name="edge_1.0"
            size=1M, type=df3300ce-d69f-4c92-978c-9bfb0f38d820, uuid={verityA}, name="edge_1.0"
            size=4M, type=b921b045-1df0-41c3-af44-4c6f280d3fae, uuid={rootB}, name="{labelB}"
            size=1M, type=df3300ce-d69f-4c92-978c-9bfb0f38d820, uuid={verityB}, name="{labelB}"
            size=4M, name="edge-data"

            """);
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        foreach (var name in new[] { "autoboot", "a", "b" })
        {
            if (fat) _images.Add(new FatImage(In(name)));
            else Directory.CreateDirectory(In(name + ".mount"));
        }
        File.WriteAllText(Autoboot, "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n");
        File.WriteAllText(BootImage("a"), "boot files of 1.0");
        if (labelB != ImageIdentity.EmptyLabel) File.WriteAllText(BootImage("b"), "boot files of " + labelB);
        Boot("a", tried: false);
    }

    public string Path => In("disk.img");
    public string Root => In("root");
    public string Autoboot => In("autoboot.mount/autoboot.txt");
    public string Verdicts => In("autoboot.mount/slots.txt");
    public string RebootParameter => In("root/run/systemd/reboot-param");

    public string BootImage(string slot) => In($"{slot}.mount/boot.img");

    /// <summary>Slot b was kept once.</summary>
    public PiDisk Proven()
    {
        File.WriteAllText(Verdicts, $"{SlotDisk.Hash2} good\n");
        return this;
    }

    /// <summary>The machine was started from a slot: numbers as a Pi 4's device tree has them, four bytes, big-endian.</summary>
    public PiDisk Boot(string slot, bool tried)
    {
        Directory.CreateDirectory(In("root/proc/device-tree/chosen/bootloader"));
        File.WriteAllBytes(In("root/proc/device-tree/chosen/bootloader/partition"), [0, 0, 0, slot == "a" ? (byte)2 : (byte)3]);
        File.WriteAllBytes(In("root/proc/device-tree/chosen/bootloader/tryboot"), [0, 0, 0, tried ? (byte)1 : (byte)0]);
        File.WriteAllText(In("root/proc/cmdline"), $"roothash={(slot == "a" ? SlotDisk.Hash1 : SlotDisk.Hash2)} console=tty1\n");
        return this;
    }

    /// <summary>The slot that the firmware starts without being asked for the other.</summary>
    public string Next => NameOf(Firmware.Restart().Choose().Partition);

    /// <summary>The machine starts anew, as its firmware chooses.</summary>
    /// <param name="parameter">What the restart was given; null for a power cut.</param>
    /// <returns>The slot that runs, and whether it is only tried.</returns>
    public (string Slot, bool Tried) Restart(string? parameter = null)
    {
        var (partition, tried, sameFiles) = Firmware.Restart(parameter).Choose();
        Assert.True(sameFiles);
        Boot(NameOf(partition), tried);
        Assert.True(File.Exists(BootImage(NameOf(partition))));
        if (File.Exists(RebootParameter)) File.Delete(RebootParameter); // /run is new
        return (NameOf(partition), tried);
    }

    private PiFirmware Firmware => new(new Dictionary<int, IPiFiles> { [1] = new PiFolder(In("autoboot.mount")), [2] = new PiFolder(In("a.mount")), [3] = new PiFolder(In("b.mount")) });

    private static string NameOf(int partition) => partition switch { 2 => "a", 3 => "b", _ => throw new PiStopsException($"partition {partition} is no slot's") };

    public TrybootControl Open(int? steps = null)
    {
        var mounted = _images.Count > 0;
        var autoboot = EspMount.Open(In("autoboot.mount"), mounted);
        var boot = new[] { "a", "b" }.ToDictionary(name => name, name => EspMount.Open(In(name + ".mount"), mounted));
        return new TrybootControl(Path, autoboot, boot, "edge", Root, steps is { } number ? new CutFiles([autoboot, .. boot.Values], number) : null);
    }

    /// <summary>Takes the boot partitions out and puts them in again, their file systems checked meanwhile.</summary>
    public void Reinsert() => _images.ForEach(image => image.Reinsert());

    public void Dispose()
    {
        _images.ForEach(image => image.Dispose());
        _folder.Delete(recursive: true);
    }

    private string In(string path) => System.IO.Path.Combine(_folder.FullName, path);
}
