using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Appliance.ImageBuilder.Tools;
using Appliance.UpdateClient.Install;
using Supervisor.Tests.Boot.Pi;

namespace Appliance.SystemTests;

/// <summary>A small image for <c>raspberry-pi</c>. Made by the first explicit test that needs it.</summary>
public sealed partial class RaspberryPiImage : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Product.Root, "out", "test-raspberry-pi"));
    private Task? _ready;

    internal string Disk => Path.Combine(Results, "disk.img");

    internal string Bundle => Path.Combine(Results, "edge_1.0_arm64.bundle");

    /// <summary><c>build.json</c>.</summary>
    internal JsonNode Record => JsonNode.Parse(File.ReadAllText(Path.Combine(Results, "build.json")))!;

    /// <summary>The lock's lines of the root: name, version, architecture and hash.</summary>
    internal IReadOnlyList<string> Packages => File.ReadLines(Path.Combine(_folder.FullName, "pi.lock.yaml"))
        .SkipWhile(line => line != "  base:").Skip(1).TakeWhile(line => line.StartsWith("    - ", StringComparison.Ordinal)).Select(line => line[6..]).ToList();

    private string Results => Path.Combine(_folder.FullName, "edge_1.0_arm64");

    /// <summary>Builds it.</summary>
    internal Task ReadyAsync() => _ready ??= BuildAsync();

    /// <summary>The firmware of a Raspberry Pi with this disk.</summary>
    internal async Task<PiFirmware> FirmwareAsync()
    {
        var partitions = new Dictionary<int, IPiFiles>();
        foreach (var number in new[] { 1, 2, 3 }) partitions[number] = await PartitionAsync(number);
        return new PiFirmware(partitions, content =>
        {
            var path = Path.Combine(_folder.FullName, "boot.img");
            File.WriteAllBytes(path, content);
            return new PiFat(path);
        });
    }

    internal async Task<IPiFiles> PartitionAsync(int number) => new PiFat(Disk, (await GptTable.ReadAsync(Disk, TestContext.Current.CancellationToken))[number].Offset);

    /// <summary>Characters of the disk.</summary>
    internal string ReadText(long offset, int length)
    {
        var bytes = new byte[length];
        using var disk = File.OpenHandle(Disk);
        RandomAccess.Read(disk, bytes, offset);
        return Encoding.ASCII.GetString(bytes);
    }

    /// <summary>The device tree that the kernel gets from the firmware of a model, overlay included.</summary>
    internal async Task<byte[]> DeviceTreeAsync(PiModel model)
    {
        var boot = (await FirmwareAsync()).Restart().Start(model);
        if (boot.Overlay is null) return boot.DeviceTree;
        var (tree, overlay, merged) = (Path.Combine(_folder.FullName, "tree"), Path.Combine(_folder.FullName, "overlay"), Path.Combine(_folder.FullName, "merged"));
        await File.WriteAllBytesAsync(tree, boot.DeviceTree);
        await File.WriteAllBytesAsync(overlay, boot.Overlay);
        await ToolRunner.RunAsync("fdtoverlay", ["-i", tree, "-o", merged, overlay]);
        return await File.ReadAllBytesAsync(merged);
    }

    /// <summary>The names of the modules in the initrd that the firmware hands to the kernel, as the kernel writes them.</summary>
    internal async Task<HashSet<string>> InitrdModulesAsync()
    {
        var path = Path.Combine(_folder.FullName, "initrd");
        await File.WriteAllBytesAsync(path, (await FirmwareAsync()).Restart().Start(PiModel.Pi4).Initramfs);
        using var process = Process.Start(new ProcessStartInfo("zstd", ["-q", "-d", "-c", path]) { RedirectStandardOutput = true, StandardOutputEncoding = Encoding.Latin1 })!;
        var archive = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        Assert.StartsWith("070701", archive, StringComparison.Ordinal); // cpio(5), the new ASCII format: names stand as they are
        return ModuleFile().Matches(archive).Select(match => match.Groups[1].Value.Replace('-', '_')).ToHashSet();
    }

    internal Task<MountedRoot> MountRootAsync() => MountedRoot.MountAsync(Disk, 4, Path.Combine(_folder.FullName, "root"));

    /// <summary>What the firmware of an emulated machine is asked when the image's kernel, with its module, restarts.</summary>
    internal async Task<IReadOnlyList<string>> RestartOnAnEmulatedPiAsync(string parameter)
    {
        var version = (string)Record["kernel"]!;
        var (kernel, module) = (Path.Combine(_folder.FullName, "kernel"), Path.Combine(_folder.FullName, "appliance_tryboot.ko"));
        await File.WriteAllBytesAsync(kernel, (await FirmwareAsync()).Restart().Start(PiModel.Pi4).Kernel);
        await using (var root = await MountRootAsync())
            File.Copy(Path.Combine(root.Folder, "usr/lib/modules", version, "updates/appliance_tryboot.ko"), module, overwrite: true);
        var tree = Path.Combine(Product.Stage(Record, "base"), "tree/usr/lib/modules", version, "dtb/broadcom/bcm2837-rpi-3-b.dtb");
        return await new EmulatedPi(_folder.FullName).RestartAsync(kernel, tree, module, parameter);
    }

    /// <summary>The drivers of the kernel in the root.</summary>
    internal async Task<KernelDrivers> DriversAsync()
    {
        await using var root = await MountRootAsync();
        return new(Path.Combine(root.Folder, "usr/lib/modules", (string)Record["kernel"]!));
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Delete(recursive: true);

    private async Task BuildAsync()
    {
        var definition = Path.Combine(_folder.FullName, "pi.yaml");
        await File.WriteAllTextAsync(definition, """
            id: edge
            version: 1.0
            suite: trixie
            board: raspberry-pi
            sourceDate: 2026-11-01
            overlays: [overlays/base, overlays/supervisor]
            sizes: { esp: 128MiB, slot: 768MiB, data: 128MiB }

            """);
        await Product.SucceedAsync("build", definition, "--output", _folder.FullName, "--cache", Product.Cache, "--json");
    }

    [GeneratedRegex(@"/([^/\0]+)\.ko\0")]
    private static partial Regex ModuleFile();
}
