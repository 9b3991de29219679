using System.Diagnostics;
using System.Text.Json.Nodes;
using UpdateClient.Tests.Sources;

namespace UpdateClient.Tests.Install;

/// <summary>A real process is killed at moments that nothing in it knows of, again and again, until it comes through.</summary>
public sealed class KillTests(PublishedPair pair) : IClassFixture<PublishedPair>, IDisposable
{
    private const int Kills = 24;
    private const int Size = 48 << 20;
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task Install_KilledAtRandomMoments_GoesOn_AndFetchesLittleTwice()
    {
        await _scene.PublishVersionAsync("1.1", Size);
        await File.WriteAllBytesAsync(_scene["root.json"], _scene.Root);
        await using var server = new FaultyServer(_scene.Repository);
        var random = new Random(11);
        var kills = 0;
        long atStart = 0, limit = 0;
        Process? running = null;
        server.Spoil = _ =>
        {
            // Death comes while an answer is on its way, somewhere between the first byte and the last.
            if (server.Sent - atStart >= limit && kills < Kills) running?.Kill();
            return null;
        };

        while (true)
        {
            (atStart, limit) = (server.Sent, random.Next(0, 5_000_000));
            using (running = Start(server.Address))
            {
                var output = await running.StandardOutput.ReadToEndAsync();
                var errors = await running.StandardError.ReadToEndAsync();
                await running.WaitForExitAsync();
                if (running.ExitCode == 0)
                {
                    if (kills >= Kills) break;
                    // It came through before its time: once more from the start, with the slot as it is.
                    Assert.NotNull(JsonNode.Parse(output));
                    File.Delete(_scene["slot-root"]);
                    continue;
                }
                Assert.True(running.ExitCode == 137, $"it ended with {running.ExitCode}: {errors}");
                kills++;
                Assert.False(File.Exists(_scene.Slot.Uki));
            }
        }

        _scene.AssertInstalled("1.1");
    }

    /// <summary>The same by patch, and by chunks from a version that nobody made a patch for.</summary>
    [Theory]
    [InlineData("1.0")]
    [InlineData("0.7")]
    public async Task Update_KilledAtRandomMoments_ComesThrough(string from)
    {
        using var scene = new UpdateScene(pair.Scene);
        await File.WriteAllBytesAsync(scene["root.json"], scene.Root);
        await using var server = new FaultyServer(scene.Repository);
        await RunAsync(long.MaxValue);
        var (whole, random, killed) = (server.Sent, new Random(12), 0);
        scene.ForgetSlot();

        for (var run = 0; run < 12; run++)
            if (!await RunAsync(random.NextInt64(whole))) killed++;
        await RunAsync(long.MaxValue);

        Assert.True(killed >= 4, $"only {killed} were killed");
        scene.AssertInstalled("1.1");

        // True when it came through.
        async Task<bool> RunAsync(long limit)
        {
            var atStart = server.Sent;
            Process? running = null;
            server.Spoil = _ =>
            {
                if (server.Sent - atStart >= limit) running?.Kill();
                return null;
            };
            using (running = Start(server.Address, scene, ["--version", from, "--running-root", scene.Plain("1.0", "root.erofs"), "--running-uki", scene.Plain("1.0", "uki.efi")]))
            {
                await running.StandardOutput.ReadToEndAsync();
                var errors = await running.StandardError.ReadToEndAsync();
                await running.WaitForExitAsync();
                Assert.True(running.ExitCode is 0 or 137, $"it ended with {running.ExitCode}: {errors}");
                if (running.ExitCode == 0)
                {
                    scene.AssertInstalled("1.1");
                    if (limit < long.MaxValue) scene.ForgetSlot();
                    return true;
                }
                Assert.False(File.Exists(scene.Slot.Uki));
                return false;
            }
        }
    }

    /// <summary>The network is what counts here: what was fetched and written once is not fetched again.</summary>
    [Fact]
    public async Task Install_KilledOnce_FetchesNoMoreThanItsWindowTwice()
    {
        await _scene.PublishVersionAsync("1.1", Size);
        await File.WriteAllBytesAsync(_scene["root.json"], _scene.Root);
        await using var server = new FaultyServer(_scene.Repository);
        Process? running = null;
        server.Spoil = _ =>
        {
            if (server.Sent > 16_000_000) running?.Kill();
            return null;
        };
        using (running = Start(server.Address))
        {
            await running.WaitForExitAsync();
            Assert.Equal(137, running.ExitCode);
        }
        server.Spoil = _ => null;

        using var again = Start(server.Address);
        await again.StandardOutput.ReadToEndAsync();
        await again.WaitForExitAsync();

        Assert.Equal(0, again.ExitCode);
        _scene.AssertInstalled("1.1");
        const int window = (8 << 20) + 3 * (2 << 20);
        Assert.InRange(server.Sent, 0, new FileInfo(_scene["edge_1.1.bundle"]).Length + window + 200_000);
    }

    private Process Start(Uri address) => Start(address, _scene, ["--version", "1.0"]);

    private static Process Start(Uri address, UpdateScene scene, string[] running) => Process.Start(new ProcessStartInfo(HostProgram.Path, [
        "install", "--root", scene["root.json"], "--repo", address.AbsoluteUri, "--channel", "stable", "--id", "edge", "--board", "vm", "--arch", "amd64", .. running,
        "--target-root", scene["slot-root"], "--target-verity", scene["slot-verity"], "--target-uki", scene.Slot.Uki, "--state", scene["state"], "--label", scene["slot-label"], "--pause", "5", "--quiet", "--now", UpdateScene.Now.ToString("O"),
    ])
    { RedirectStandardOutput = true, RedirectStandardError = true })!;
}
