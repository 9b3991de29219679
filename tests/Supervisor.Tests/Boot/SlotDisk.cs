using System.Diagnostics;
using System.Text;
using Appliance.Core.Images;
using Appliance.Supervisor.Boot;

namespace Supervisor.Tests.Boot;

/// <summary>A disk image with the image's partition table, an ESP's folder, and the kernel's files of a device that runs from it.</summary>
internal sealed class SlotDisk : IDisposable
{
    public const string Hash1 = "0123456789abcdef0123456789abcdef00112233445566778899aabbccddeeff";
    public const string Hash2 = "fedcba9876543210fedcba987654321000000000000000000000000000000042";
    private const string Vendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("slots");
    private readonly FatImage? _esp;

    /// <summary>Slot a holds version 1 and runs, unless told otherwise; b is empty.</summary>
    public SlotDisk(string labelA = "edge_1.0", string labelB = ImageIdentity.EmptyLabel, string running = Hash1, string hashB = Hash2, bool fat = false)
    {
        var (rootA, verityA) = ImageIdentity.PartitionIds(Hash1);
        var (rootB, verityB) = ImageIdentity.PartitionIds(hashB);
        using (var file = File.Create(Path)) file.SetLength(32 << 20);
        Sfdisk($"""
            label: gpt
            size=4M, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name="esp"
            size=4M, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid={rootA}, name="{labelA}"
            size=1M, type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, uuid={verityA}, name="{labelA}"
            size=4M, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid={rootB}, name="{labelB}"
            size=1M, type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, uuid={verityB}, name="{labelB}"
            size=4M, type=0fc63daf-8483-4772-8e79-3d69d8477de4, name="edge-data"

            """);
        if (fat) _esp = new FatImage(In("esp"));
        Directory.CreateDirectory(Entries);
        Directory.CreateDirectory(In("root/sys/firmware/efi/efivars"));
        Directory.CreateDirectory(In("root/proc"));
        File.WriteAllText(In("root/proc/cmdline"), $"quiet roothash={running} panic=10\n");
    }

    public string Path => In("disk.img");
    public string Root => In("root");
    public string Entries => In("esp.mount/EFI/Linux");

    /// <summary>Boot control of it; with a number of steps the power goes after so many.</summary>
    public SystemdBootControl Open(int? steps = null)
    {
        var mount = EspMount.Open(In("esp.mount"), _esp is not null);
        return new SystemdBootControl(Path, mount, "edge", Root, steps is { } number ? new CutFiles([mount], number) : null);
    }

    /// <summary>Puts boot entries on the ESP; names of one entry have one content.</summary>
    public SlotDisk With(params string[] names)
    {
        foreach (var name in names) File.WriteAllText(System.IO.Path.Combine(Entries, name), "UKI " + BootEntry.Parse(name.TrimStart('.').Replace(".part", "")).Stem);
        return this;
    }

    /// <summary>Sets an EFI variable of the boot loader.</summary>
    public SlotDisk WithVariable(string name, string value)
    {
        File.WriteAllBytes(Variable(name), [6, 0, 0, 0, .. Encoding.Unicode.GetBytes(value + "\0")]);
        return this;
    }

    /// <summary>The boot loader counted this boot, and gave the entry this name.</summary>
    public SlotDisk Booted(string name) => WithVariable("LoaderBootCountPath", "\\EFI\\Linux\\" + name);

    public string Variable(string name) => In($"root/sys/firmware/efi/efivars/{name}-{Vendor}");

    /// <summary>What is in the folder of entries, hidden names included.</summary>
    public IReadOnlyList<string> Names => [.. Directory.EnumerateFiles(Entries).Select(file => System.IO.Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    /// <summary>Takes the ESP out and puts it in again, its file system checked meanwhile.</summary>
    public void Reinsert() => _esp?.Reinsert();

    public void Dispose()
    {
        _esp?.Dispose();
        _folder.Delete(recursive: true);
    }

    private string In(string path) => System.IO.Path.Combine(_folder.FullName, path);

    private void Sfdisk(string script)
    {
        using var process = Process.Start(new ProcessStartInfo("sfdisk", ["--quiet", Path]) { RedirectStandardInput = true })!;
        process.StandardInput.Write(script);
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
