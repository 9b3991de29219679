using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.UpdateClient.Install;
using Supervisor.Tests.Boot.Pi;

namespace Appliance.SystemTests;

/// <summary>A small image for <c>raspberry-pi</c>. Made by the first explicit test that needs it.</summary>
public sealed class RaspberryPiImage : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Product.Root, "out", "test-raspberry-pi"));
    private Task? _ready;

    internal string Disk => Path.Combine(Results, "disk.img");

    internal string Bundle => Path.Combine(Results, "edge_1.0_arm64.bundle");

    /// <summary><c>build.json</c>.</summary>
    internal JsonNode Record => JsonNode.Parse(File.ReadAllText(Path.Combine(Results, "build.json")))!;

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

    /// <summary>The initrd that the firmware hands to the kernel, unpacked: a cpio archive, in which names stand as they are.</summary>
    internal async Task<string> UnpackInitrdAsync()
    {
        var path = Path.Combine(_folder.FullName, "initrd");
        await File.WriteAllBytesAsync(path, (await FirmwareAsync()).Restart().Start(PiModel.Pi4).Initramfs);
        using var process = Process.Start(new ProcessStartInfo("zstd", ["-q", "-d", "-c", path]) { RedirectStandardOutput = true, StandardOutputEncoding = Encoding.Latin1 })!;
        var archive = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return archive;
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
        var (exitCode, _, errors) = await Product.RunAsync("build", definition, "--output", _folder.FullName, "--cache", Product.Cache, "--json");
        Assert.True(exitCode == 0, errors);
    }
}
