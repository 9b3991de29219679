using System.Diagnostics;
using Appliance.Core;

namespace ImageBuilder.Tests.Flash;

/// <summary>Images from servers, whose connections break.</summary>
public sealed class FlashUrlTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Temporary _folder = new();
    private readonly string _image;
    private readonly string _hash;

    public FlashUrlTests()
    {
        _image = SomeDisk.Make(_folder["disk.img"]);
        Tool.Run("zstd", "--quiet", _image, "-o", _image + ".zst");
        _hash = Tool.Run("sha256sum", _image + ".zst")[..64];
    }

    public void Dispose() => _folder.Dispose();

    private static Process Start(FlakyServer server, params string[] arguments)
    {
        // As a terminal does: what runs in the background inherits that Ctrl-C is ignored.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", Tool.Appliance, "flash", .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["SSL_CERT_FILE"] = server.Authority;
        return Process.Start(start)!;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Flash_FromAServerWhoseConnectionsBreak_GoesOn(bool knowsRanges)
    {
        using var server = new FlakyServer(_folder.Folder, tls: true) { CutAfter = 400_000, Cuts = knowsRanges ? int.MaxValue : 1, KnowsRanges = knowsRanges };
        using var disk = new LoopDevice(_folder["device"], 16 * MiB);

        using var process = Start(server, $"{server.Url}/disk.img.zst?signature=1", disk.Path, "--yes", "--json");
        var (exitCode, output) = Tool.End(process);

        Assert.True(exitCode == 0, output);
        Assert.Equal(File.ReadAllBytes(_image), File.ReadAllBytes(_folder["device"]));
        Assert.InRange(server.Requests.Count, knowsRanges ? 3 : 2, knowsRanges ? 4 : 2);
        Assert.All(server.Requests.Skip(1), request => Assert.Contains("If-Range: \"one\"", request, StringComparison.Ordinal));
        Assert.Contains("\"bytesPerSecond\"", output, StringComparison.Ordinal);
        Assert.Contains("\"written\":1", output, StringComparison.Ordinal); // the map beside it was found: not 16 MiB
    }

    [Fact]
    public void Flash_FromAServerThatExchangesTheFile_IsRefused()
    {
        using var server = new FlakyServer(_folder.Folder, tls: true) { CutAfter = 400_000, Tag = answer => $"\"{answer}\"" };
        using var disk = new LoopDevice(_folder["device"], 16 * MiB);

        using var process = Start(server, $"{server.Url}/disk.img.zst", disk.Path, "--yes");
        var (exitCode, output) = Tool.End(process);

        Assert.Equal(2, exitCode);
        Assert.Contains("was exchanged", output, StringComparison.Ordinal);
        Assert.All(disk.Read(0, MiB), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Flash_FromAServerNobodyTrusts_IsRefused()
    {
        using var server = new FlakyServer(_folder.Folder, tls: true);

        var (exitCode, output) = Tool.Try("", Tool.Appliance, "flash", $"{server.Url}/disk.img.zst", _folder["copy"]);

        Assert.Equal(2, exitCode);
        Assert.Contains("TLS", output, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Flash_OverPlainHttp_NeedsAHash()
    {
        using var server = new FlakyServer(_folder.Folder);
        var address = $"{server.Url}/disk.img.zst";

        var error = await Assert.ThrowsAsync<UserError>(() => FlashTests.FlashAsync(address, _folder["copy"]));
        Assert.Contains("--sha256", error.Hint, StringComparison.Ordinal);
        Assert.Empty(server.Requests);

        // What is left out of an image says its map.
        error = await Assert.ThrowsAsync<UserError>(() => FlashTests.FlashAsync(_image, _folder["copy"], "--bmap", $"{server.Url}/disk.img.bmap"));
        Assert.Contains("Use https", error.Hint, StringComparison.Ordinal);
        Assert.Empty(server.Requests);

        await FlashTests.FlashAsync(address, _folder["copy"], "--sha256", _hash);
        Assert.Equal(File.ReadAllBytes(_image), File.ReadAllBytes(_folder["copy"]));
    }

    [Fact]
    public async Task Flash_OfAFileThatIsNotThere_IsSaid()
    {
        using var server = new FlakyServer(_folder.Folder);

        var error = await Assert.ThrowsAsync<UserError>(() => FlashTests.FlashAsync($"{server.Url}/other.img.zst", _folder["copy"], "--sha256", _hash));

        Assert.Contains("There is no other.img.zst", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Flash_ThatIsInterrupted_SaysThatTheDiskIsIncomplete_AndLeavesNoTable()
    {
        using var server = new FlakyServer(_folder.Folder, tls: true) { StallAfter = 800_000 };
        using var disk = new LoopDevice(_folder["device"], 24 * MiB);
        Tool.RunWithInput("label: gpt\n", "sfdisk", "--quiet", disk.Path);

        using var process = Start(server, $"{server.Url}/disk.img.zst", disk.Path, "--yes", "--no-bmap");
        await server.Stalled.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await WaitUntilAsync(() => disk.Read(0, MiB).All(value => value == 0));
        Tool.Run("kill", "-INT", process.Id.ToString());
        var (exitCode, output) = Tool.End(process);

        Assert.Equal(130, exitCode);
        Assert.Contains($"{disk.Path} is incomplete", output, StringComparison.Ordinal);
        Assert.DoesNotContain("nothing half-done", output, StringComparison.Ordinal);
        Assert.All(disk.Read(23 * MiB, MiB), value => Assert.Equal(0, value));
    }

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        for (var limit = Stopwatch.StartNew(); !condition(); await Task.Delay(20, TestContext.Current.CancellationToken))
            Assert.True(limit.Elapsed < TimeSpan.FromMinutes(1), "it did not begin");
    }
}
