using System.Net.Sockets;
using System.Text.Json;
using Appliance.Core.Images;
using Appliance.Core.Updates;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Usb;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Usb;

/// <summary>From a stick to the worker's socket, through the whole daemon on a real bus.</summary>
public sealed class StickUpdateTests : IAsyncLifetime
{
    private readonly Stick _stick = new();
    private DaemonScene _scene = null!;
    private Socket _worker = null!;
    private byte[] _received = [];
    private WorkerReply _answer = new() { Result = new WorkerResult { Verdict = "installed", Version = "1.2", Slot = "b", DownloadBytes = 5 } };

    private static CancellationToken Token => TestContext.Current.CancellationToken;
    private UpdateEngine Engine => _scene.Service<UpdateEngine>();

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        _scene.Device.Write("usr/lib/appliance/update.json", JsonSerializer.Serialize(new UpdateSettings { Usb = true, Reboot = false }, ImageSettingsJson.Default.UpdateSettings));
        _worker = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _worker.Bind(new UnixDomainSocketEndPoint(_scene.File("worker.sock")));
        _worker.Listen();
        _ = ServeAsync();
        await _scene.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _worker.Dispose();
        await _scene.DisposeAsync();
        _stick.Dispose();
    }

    /// <summary>A worker that takes a bundle whole and answers as it is told.</summary>
    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var connection = await _worker.AcceptAsync();
                await using var stream = new NetworkStream(connection);
                var request = JsonSerializer.Deserialize((await WorkerLine.ReadAsync(stream, WorkerLine.LongestRequest, default))!, WorkerJson.Default.WorkerRequest)!;
                if (request.Source == "-")
                {
                    var bundle = new MemoryStream();
                    await stream.CopyToAsync(bundle);
                    _received = bundle.ToArray();
                }
                var answer = request.Verb == WorkerVerb.Slots ? new WorkerReply { Result = new WorkerResult { Slots = [] } } : _answer;
                await stream.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(answer, WorkerJson.Default.WorkerReply), (byte)'\n']);
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // The test is over, or a client has gone.
        }
    }

    private Task<bool> RunAsync() => new StickUpdate(_scene.Client, TimeProvider.System).RunAsync("sda1", _stick.Folder, Token);

    [Fact]
    public async Task ANewerVersion_ComesToTheWorkerWhole_AndTheHistorySaysFromWhere()
    {
        _stick.With("old.bundle", "0.9").With("new.bundle", "1.2");

        Assert.True(await RunAsync());

        Assert.Equal(await File.ReadAllBytesAsync(_stick.PathOf("new.bundle"), Token), _received);
        Assert.Equal((EnginePhase.Installed, "1.2"), (Engine.State.Phase, Engine.State.Pending?.Version));
        Assert.StartsWith("by USB stick; ", Engine.State.History[^1].Detail, StringComparison.Ordinal);
        Assert.True(await RunAsync()); // left in: nothing to do, and nothing to tell
        Assert.Single(Engine.State.History);
    }

    [Fact]
    public async Task ABundleThatTheWorkerRefuses_StandsInTheHistory()
    {
        _stick.With("forged.bundle", "1.2");
        _answer = new WorkerReply { Error = new("The signature is wrong.", null, Mistake: true) };

        Assert.False(await RunAsync());

        Assert.Equal(("failed", "The signature is wrong."), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Detail));
        Assert.Equal(EnginePhase.Idle, Engine.State.Phase);
    }

    [Fact]
    public async Task AStickThatIsOfNoUse_StandsInTheHistoryOnce_AndReachesNoWorker()
    {
        _stick.With("pi.bundle", "1.2", board: "raspberry-pi").WithText("x.bundle", "damaged");

        Assert.False(await RunAsync());
        Assert.False(await RunAsync());

        var entry = Assert.Single(Engine.State.History);
        Assert.Equal("refused", entry.Outcome);
        Assert.StartsWith("by USB stick: pi.bundle is edge for raspberry-pi", entry.Detail, StringComparison.Ordinal);
        Assert.Contains("; x.bundle is not a usable bundle", entry.Detail, StringComparison.Ordinal);
        Assert.Empty(_received);
    }

    [Fact]
    public async Task AStickWithoutBundles_IsNoNews()
    {
        _stick.WithText("photo.jpg", "x");

        Assert.True(await RunAsync());

        Assert.Empty(Engine.State.History);
    }
}
