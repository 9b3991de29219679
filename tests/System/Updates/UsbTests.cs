using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Appliance.SystemTests.Updates;

/// <summary>A device that no network leads to, and somebody with a stick. The board is one whose kernel has USB.</summary>
public sealed class UsbTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("usb");
    private readonly UpdateRepository _repository = new("test-usb", "uefi-x86_64", "usb: true");

    /// <inheritdoc/>
    public ValueTask InitializeAsync() => _repository.InitializeAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _repository.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact(Explicit = true)]
    public async Task AStick_BringsTheVersionThatThePublisherSigned_AndNothingElse()
    {
        var good = await MakeAsync("vfat", "good", folder => BundleAsync(Path.Combine(folder, "edge.bundle"), _repository.Repository));
        var tampered = await MakeAsync("ext4", "tampered", async folder =>
        {
            var bundle = Path.Combine(folder, "edge.bundle");
            await BundleAsync(bundle, _repository.Repository);
            await using var file = File.Open(bundle, FileMode.Open, FileAccess.ReadWrite);
            file.Position = file.Length / 2;
            var old = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)~old);
        });
        var junk = await MakeAsync("vfat", "junk", folder => File.WriteAllTextAsync(Path.Combine(folder, "edge.bundle"), "no bundle at all"));
        await using var machine = await RunningMachine.StartAsync("usb", _repository.Disk(UpdateRepository.First), Path.Combine(_folder.FullName, "state.qcow2"), usb: true);
        await machine.WaitForGoodBootAsync();
        await machine.RunAsync("udevadm verify --resolve-names=never /usr/lib/udev/rules.d/90-appliance-usb.rules");

        JsonArray? history = null;
        var told = 0;
        await RefusedAsync(junk, "edge.bundle");
        await RefusedAsync(tampered, "cannot be had");

        await machine.PlugInAsync(good.Image);
        await machine.WaitAsync("version 1.1, kept", async () => await machine.ControlAsync() is { } status && (string?)status["version"] == UpdateRepository.Good && (string?)status["updateState"] == "idle");
        // The stick was left in over the restart, and there is nothing to tell of it.
        await machine.WaitAsync("the look at the stick that is still in", async () => (await machine.RunAsync("journalctl -b -o cat -u 'appliance-usb@*'")).Contains("which runs already", StringComparison.Ordinal));
        history = (JsonArray)(await machine.ControlAsync())!["history"]!;
        Assert.Equal(["refused", "failed", "installed", "committed"], history.Select(entry => (string?)entry!["outcome"]));
        Assert.Equal("", await machine.RunAsync("systemctl --failed --plain --no-legend"));
        // Nothing is left mounted, and nothing was written.
        Assert.DoesNotContain("/dev/sd", await machine.RunAsync("cat /proc/mounts"), StringComparison.Ordinal);
        await machine.PullOutAsync();
        foreach (var stick in new[] { good, tampered, junk }) Assert.Equal(stick.Hash, Hash(stick.Image));

        async Task RefusedAsync((string Image, string Hash) stick, string because)
        {
            await machine.PlugInAsync(stick.Image);
            await machine.WaitAsync($"a word about {stick.Image}", async () => (history = (JsonArray?)(await machine.ControlAsync())?["history"])?.Count > told);
            told = history!.Count;
            var last = history[^1]!.ToJsonString();
            Assert.True(last.Contains(because, StringComparison.Ordinal), last);
            Assert.Equal(UpdateRepository.First, (string?)(await machine.ControlAsync())!["version"]);
            await machine.PullOutAsync();
        }
    }

    private static Task BundleAsync(string file, string repository) => Product.SucceedAsync("bundle", repository, "-o", file);

    /// <summary>A stick without partitions, as many are sold.</summary>
    private async Task<(string Image, string Hash)> MakeAsync(string kind, string name, Func<string, Task> fill)
    {
        var content = Directory.CreateDirectory(Path.Combine(_folder.FullName, name)).FullName;
        await fill(content);
        var image = Path.Combine(_folder.FullName, $"{name}.img");
        await using (var file = File.Create(image)) file.SetLength(512L << 20);
        if (kind == "ext4")
        {
            await ToolAsync("mkfs.ext4", "-q", "-d", content, image);
        }
        else
        {
            await ToolAsync("mkfs.vfat", image);
            await ToolAsync("mcopy", ["-i", image, .. Directory.GetFiles(content), "::"]);
        }
        return (image, Hash(image));
    }

    private static string Hash(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(file));
    }

    private static async Task ToolAsync(string tool, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true })!;
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{tool}: exit code {process.ExitCode}");
    }
}
