using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Core.Tests.Tuf;
using UpdateClient.Tests.Install;

namespace UpdateServer.Tests.Releases;

/// <summary>The real programs, and keys in two folders: the publisher's has those of root, targets and channels, the server's those of snapshot and timestamp.</summary>
internal sealed class PublisherScene : IAsyncDisposable
{
    public const string Passphrase = "correct horse battery";
    private ServerScene? _server;

    public UpdateScene Bundles { get; } = new();
    public SettableTime Time { get; } = new(DateTimeOffset.UtcNow);
    public ServerScene Server => _server!;
    public string Offline => Bundles["offline"];
    public string Online => Bundles["online"];
    public string Repository => Bundles.Repository;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Makes the keys, and starts a server in this process unless there shall be another one.</summary>
    public static async Task<PublisherScene> CreateAsync(bool withServer = true)
    {
        var scene = new PublisherScene();
        Directory.CreateDirectory(scene.Online);
        Assert.Equal(0, (await RunAsync("keys", "init", "--dir", scene.Offline)).ExitCode);
        File.Copy(Path.Combine(scene.Offline, "root.json"), Path.Combine(scene.Online, "root.json"));
        foreach (var role in new[] { TufRole.Snapshot, TufRole.Timestamp })
            foreach (var key in Directory.GetFiles(scene.Offline, $"{role}-*")) File.Move(key, Path.Combine(scene.Online, Path.GetFileName(key)));
        if (withServer) await scene.StartServerAsync();
        return scene;
    }

    /// <summary>Starts a server, instead of the one that ran.</summary>
    public async Task StartServerAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite, Repository, Time, secure: true, onlineKeys: KeyFolder.Open(Online, () => Passphrase));
        await File.WriteAllTextAsync(Bundles["api.key"], _server.Key, Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        Bundles.Dispose();
    }

    public TufRepositoryWriter Writer(ISignerSource signers) => TufRepositoryWriter.Open(Repository, File.ReadAllBytes(Path.Combine(Offline, "root.json")), signers, null, Time);

    /// <summary>Publishes a version through the server, with a folder as working copy.</summary>
    public async Task<(int ExitCode, string Said)> PublishAsync(string version, string copy, params string[] more) =>
        await RunAsync(["publish", await Bundles.BuildAsync(version, 1 << 20), "--repo", Bundles[copy], "--keys", Offline, "--level", "1", .. ToServer(), .. more]);

    /// <summary>The options that name the server.</summary>
    public string[] ToServer() => ["--server", Server.Address.ToString(), "--fingerprint", Server.Fingerprint(), "--key-file", Bundles["api.key"]];

    public static Task<(int ExitCode, string Said)> RunAsync(params string[] arguments) => BuilderProgram.RunAsync(arguments, ("APPLIANCE_KEYS_PASSPHRASE", Passphrase));
}
