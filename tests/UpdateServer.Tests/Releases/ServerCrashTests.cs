using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Publish;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using Core.Tests.Tuf;

namespace UpdateServer.Tests.Releases;

/// <summary>The server is killed where it changes the repository. What it hosts is whole and verifiable at any moment, and what was cut off can be done again.</summary>
public sealed class ServerCrashTests : IAsyncLifetime
{
    private PublisherScene _publisher = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Root => Path.Combine(_publisher.Offline, "root.json");

    private string Metadata => Path.Combine(_publisher.Repository, "metadata");

    public async ValueTask InitializeAsync()
    {
        _publisher = await PublisherScene.CreateAsync(withServer: false);
        using var server = await StartAsync();
        await PublishAsync(server, "1.0", "first");
    }

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    [Fact]
    public async Task APublication_ThatIsCutOffAnywhere_IsSeenWhole_OrNotAtAll_AndCanBeMadeAgain()
    {
        Copy(_publisher.Repository, _publisher.Bundles["before"]);
        using (var server = await StartAsync()) await PublishAsync(server, "1.1", "undisturbed");
        var made = Directory.GetFiles(Path.Combine(_publisher.Repository, "objects"), "*", SearchOption.AllDirectories).Select(path => Path.GetDirectoryName(path)!)
            .Where(folder => !Directory.Exists(folder.Replace(_publisher.Repository, _publisher.Bundles["before"], StringComparison.Ordinal))).Distinct().ToList();
        Assert.NotEmpty(made);
        // An object, the release, the channel, the snapshot, and the timestamp, from which on it is published.
        (string Folder, int Change)[] moments = [(made[0], 1), (Path.Combine(_publisher.Repository, "targets/stable"), 1), (Metadata, 1), (Metadata, 2), (Metadata, 3)];

        foreach (var (folder, change) in moments)
        {
            var copy = $"work-{Path.GetFileName(folder)}-{change}";
            Copy(_publisher.Bundles["before"], _publisher.Repository);
            using (var server = await StartAsync((folder, change)))
            {
                var (exitCode, said) = await TryPublishAsync(server, "1.1", copy);
                await server.AssertKilledAsync();
                Assert.True(exitCode != 0, said);
            }
            await AssertWholeAsync((folder, change) == moments[^1] ? ["1.0", "1.1"] : ["1.0"]);

            using var again = await StartAsync();
            await PublishAsync(again, "1.1", copy + "-again");
            await AssertWholeAsync(["1.0", "1.1"]);
            using var source = new HttpSource(new Uri(again.Address, "/repository/"), new HttpSourceOptions());
            using var device = await TrustedRepository.OpenAsync(source, Root, TimeProvider.System, Token);
            Assert.Equal(2, (await device.Client.ReadChannelAsync("stable", Token)).Count);
            await Eventually.IsTrueAsync(async () => (await ReleasesAsync(again)).Any(release => (string?)release!["version"] == "1.1" && (bool)release["available"]!), "the release at the server");
        }
    }

    [Fact]
    public async Task ARenewal_ThatIsCutOffAnywhere_LeavesWhatDevicesAccept_AndComesAfterTheRestart()
    {
        Age();
        Copy(_publisher.Repository, _publisher.Bundles["before"]);
        foreach (var change in new[] { 1, 2 }) // the snapshot, the timestamp
        {
            Copy(_publisher.Bundles["before"], _publisher.Repository);
            var before = Timestamp();
            using (var server = await StartAsync((Metadata, change))) await server.AssertKilledAsync();
            await AssertWholeAsync(["1.0"]);
            Assert.Equal(change == 1, before.SequenceEqual(Timestamp()));

            using var again = await StartAsync();
            await Eventually.IsTrueAsync(() => !before.SequenceEqual(Timestamp()), "the renewal");
            await AssertWholeAsync(["1.0"]);
        }

        byte[] Timestamp() => File.ReadAllBytes(Path.Combine(Metadata, "timestamp.json"));
    }

    [Fact]
    public async Task AFile_ThatIsCutOffHalfway_IsNotThere_AndCanBeSentAgain()
    {
        var content = RandomNumberGenerator.GetBytes(2 << 20);
        var hash = Convert.ToHexStringLower(SHA256.HashData(content));
        var files = new[] { (Path: $"/api/v1/repository/files/objects/{hash[..2]}/{hash}", Staging: Path.Combine(_publisher.Repository, ".uploading")), (Path: "/api/v1/releases/app/1/files/app.swu", Staging: _publisher.Bundles["data/artifacts"]) };
        foreach (var (path, staging) in files)
        {
            using (var server = await StartAsync())
            {
                var half = new HalfContent(content);
                var sending = server.Admin.PutAsync(path, half, Token);
                await Eventually.IsTrueAsync(() => Directory.Exists(staging) && new DirectoryInfo(staging).EnumerateFiles().Any(file => file.Length > content.Length / 4), "half of it");
                await server.KillAsync();
                half.GoOn();
                await Assert.ThrowsAsync<HttpRequestException>(() => sending);
            }
            Assert.DoesNotContain(Files(), file => Path.GetFileName(file) == hash && file.StartsWith(Path.GetDirectoryName(staging)!, StringComparison.Ordinal));
            await AssertWholeAsync(["1.0"]);

            using var again = await StartAsync();
            Assert.DoesNotContain(await ReleasesAsync(again), release => (string?)release!["name"] == "app");
            using var sent = await again.Admin.PutAsync(path, new ByteArrayContent(content), Token);
            Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
            Assert.Equal(content, await File.ReadAllBytesAsync(Files().Single(file => Path.GetFileName(file) == hash && file.StartsWith(Path.GetDirectoryName(staging)!, StringComparison.Ordinal)), Token));
        }

        IEnumerable<string> Files() => Directory.EnumerateFiles(_publisher.Bundles.Folder, "*", SearchOption.AllDirectories);
    }

    [Fact]
    public async Task AnUpload_ThatIsPlacedAndNotWrittenDown_IsNoRelease_AndCanBeSentAgain()
    {
        var content = RandomNumberGenerator.GetBytes(1000);
        using (var server = await StartAsync((_publisher.Bundles["data/artifacts"], 1)))
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => server.Admin.PutAsync("/api/v1/releases/app/1/files/app.swu", new ByteArrayContent(content), Token));
            await server.AssertKilledAsync();
        }

        using var again = await StartAsync();
        Assert.DoesNotContain(await ReleasesAsync(again), release => (string?)release!["name"] == "app");
        using var sent = await again.Admin.PutAsync("/api/v1/releases/app/1/files/app.swu", new ByteArrayContent(content), Token);
        Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), (string?)(await ReleasesAsync(again)).Single(release => (string?)release!["name"] == "app")!["files"]![0]!["sha256"]);
    }

    private Task<ServerProcess> StartAsync((string Folder, int Change)? killAt = null) => ServerProcess.StartAsync(_publisher.Bundles, _publisher.Online, killAt);

    private async Task PublishAsync(ServerProcess server, string version, string copy)
    {
        var (exitCode, said) = await TryPublishAsync(server, version, copy);
        Assert.True(exitCode == 0, said);
    }

    private async Task<(int ExitCode, string Said)> TryPublishAsync(ServerProcess server, string version, string copy) => await PublisherScene.RunAsync(
        "publish", await _publisher.Bundles.BuildAsync(version, 1 << 20), "--repo", _publisher.Bundles[copy], "--keys", _publisher.Offline, "--level", "1", "--no-chunks", "--patches", "0", "--server", server.Address.ToString(), "--key-file", _publisher.Bundles["api.key"]);

    /// <summary>Everything that a device can be offered is signed, there and what it should be.</summary>
    private async Task AssertWholeAsync(string[] versions)
    {
        var report = await new RepositoryCheck(Root, TimeProvider.System, _publisher.Bundles.Observer).CheckRepositoryAsync(_publisher.Repository, Token);
        Assert.Empty(report.Faults);
        Assert.Equal(versions.Select(version => $"stable/edge_{version}_vm_amd64.json"), report.Targets.Order(StringComparer.Ordinal));
    }

    /// <summary>Makes snapshot and timestamp so old that they are due, and not so old that they have ended.</summary>
    private void Age()
    {
        foreach (var (role, days) in new[] { (TufRole.Snapshot, 47), (TufRole.Timestamp, 4) })
        {
            using var writer = TufRepositoryWriter.Open(_publisher.Repository, KeyFolder.Open(_publisher.Online, () => PublisherScene.Passphrase), null, new SettableTime(DateTimeOffset.UtcNow.AddDays(-days)));
            writer.Renew(role);
            Assert.True(writer.Commit());
        }
    }

    private static async Task<JsonArray> ReleasesAsync(ServerProcess server) => JsonNode.Parse(await server.Admin.GetStringAsync("/api/v1/releases", Token))!.AsArray();

    private static void Copy(string from, string to)
    {
        if (Directory.Exists(to)) Directory.Delete(to, recursive: true);
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    /// <summary>A body of which the second half comes when it is told so.</summary>
    private sealed class HalfContent(byte[] content) : HttpContent
    {
        private readonly TaskCompletionSource _rest = new();

        public void GoOn() => _rest.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(content.AsMemory(0, content.Length / 2), Token);
            await stream.FlushAsync(Token);
            await _rest.Task.WaitAsync(Token);
            await stream.WriteAsync(content.AsMemory(content.Length / 2), Token);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = content.Length;
            return true;
        }
    }
}
