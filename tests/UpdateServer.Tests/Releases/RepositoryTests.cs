using System.Net;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateServer.Releases;
using UpdateClient.Tests.Install;
using UpdateClient.Tests.Workloads;

namespace UpdateServer.Tests.Releases;

/// <summary>A repository that the real publisher makes, hosted by the server.</summary>
public sealed class RepositoryTests : IDisposable
{
    private readonly UpdateScene _publisher = new() { Deltas = true };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _publisher.Dispose();

    private Task<ServerScene> StartAsync(DatabaseKind kind = DatabaseKind.Sqlite) => ServerScene.StartAsync(kind, _publisher.Repository, _publisher.Time);

    [Theory, EveryDatabase]
    public async Task WhatIsPublished_CanBeGivenToDevices_AndWhatIsDroppedCannot(DatabaseKind kind)
    {
        await _publisher.PublishVersionAsync("1.1", 1 << 20, options: given => given with { Notes = "faster tills" });
        await _publisher.PublishAsync(await SomeWorkload.BuildAsync(_publisher, "7", layerSize: 64 << 10));
        await using var scene = await StartAsync(kind);
        await scene.Service<RepositoryCatalogue>().RefreshAsync(Token);

        var releases = (await scene.GetAsync("/api/v1/releases")).AsArray();
        var image = releases.Single(release => (string?)release!["kind"] == "image")!;
        Assert.Equal(("edge", "1.1", "vm", "stable", "faster tills"), ((string?)image["name"], (string?)image["version"], (string?)image["board"], (string?)image["channel"], (string?)image["notes"]));
        Assert.Equal(("shop", "7", ""), ((string?)releases.Single(release => (string?)release!["kind"] == "workload")!["name"], (string?)releases.Single(release => (string?)release!["kind"] == "workload")!["version"], (string?)releases.Single(release => (string?)release!["kind"] == "workload")!["board"]));

        var device = scene.Device("edge-1");
        await device.DescribeAsync(new { board = "vm" });
        await scene.AssignAsync("edge-1", (long)image["id"]!);
        var chunk = (await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!["chunks"]![0]!;
        Assert.Contains(chunk["metadata"]!.AsArray(), entry => (string?)entry!["key"] == "appliance.repository" && (string?)entry["value"] == new Uri(scene.Address, "/repository/").ToString());
        using var bundle = await device.DownloadAsync((string)chunk["artifacts"]![0]!["_links"]!["download-http"]!["href"]!);
        Assert.Equal(await File.ReadAllBytesAsync(_publisher["edge_1.1.bundle"], Token), await bundle.Content.ReadAsByteArrayAsync(Token));
        var other = scene.Device("pi-1");
        await other.DescribeAsync(new { board = "raspberry-pi" });
        using var refused = await scene.Admin.PostAsync("/api/v1/devices/pi-1/actions", new StringContent($$"""{"release":{{image["id"]}}}""", System.Text.Encoding.UTF8, "application/json"), Token);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("is for vm, and pi-1 is a raspberry-pi", await refused.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);

        await scene.PostAsync("/api/v1/rotations", new { credential = "all" });
        await _publisher.PublishAsync(await _publisher.BuildAsync("1.2", 1 << 20), options => options with { Keep = 1 });
        await scene.Service<RepositoryCatalogue>().RefreshAsync(Token);
        releases = (await scene.GetAsync("/api/v1/releases")).AsArray();
        Assert.Equal([("1.1", false), ("1.2", true)], releases.Where(release => (string?)release!["kind"] == "image").Select(release => ((string)release!["version"]!, (bool)release["available"]!)).Order());
        Assert.True((bool)releases.Single(release => (string?)release!["kind"] == "rotation")!["available"]!); // it is none of the repository's
    }

    /// <summary>Our own client takes an update from it: by ranges, chunks and patches, as from any web server.</summary>
    [Fact]
    public async Task ADevice_UpdatesFromIt()
    {
        await _publisher.PublishVersionAsync("1.0", 2 << 20);
        await _publisher.PublishVersionAsync("1.1", 2 << 20);
        await using var scene = await StartAsync();
        using var source = new HttpSource(new Uri(scene.Address, "/repository/"), new HttpSourceOptions());

        await _publisher.InstallAsync(source);

        _publisher.AssertInstalled("1.1");
    }

    [Fact]
    public async Task WhatNeverChanges_MayBeKeptForEver_AndTheRestIsAskedFor()
    {
        await _publisher.PublishVersionAsync("1.1", 1 << 20);
        await using var scene = await StartAsync();
        using var http = new HttpClient { BaseAddress = scene.Address };
        var bundle = Directory.EnumerateFiles(_publisher.Repository, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(_publisher.Repository, path)).First(path => !path.StartsWith("metadata", StringComparison.Ordinal) && !path.StartsWith('.'));

        using var fixedFile = await http.GetAsync($"/repository/{bundle}", Token);
        using var timestamp = await http.GetAsync("/repository/metadata/timestamp.json", Token);
        using var missing = await http.GetAsync("/repository/metadata/2.root.json", Token);
        using var outside = await http.GetAsync("/repository/../data/fleet.db", Token);

        Assert.Contains("immutable", fixedFile.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.True(timestamp.Headers.CacheControl!.NoCache);
        // Nothing there is a page of this server, whatever it is called.
        await File.WriteAllTextAsync(Path.Combine(_publisher.Repository, "targets/page.html"), "<script>", Token);
        using var page = await http.GetAsync("/repository/targets/page.html", Token);
        Assert.Equal(("application/octet-stream", "nosniff"), (page.Content.Headers.ContentType!.ToString(), page.Headers.GetValues("X-Content-Type-Options").Single()));
        Assert.StartsWith("sandbox", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Assert.Null(missing.Headers.CacheControl);
        Assert.Equal(HttpStatusCode.NotFound, outside.StatusCode);
        using var range = await http.SendAsync(new HttpRequestMessage(HttpMethod.Get, $"/repository/{bundle}") { Headers = { Range = new(1, 4) } }, Token);
        Assert.Equal(HttpStatusCode.PartialContent, range.StatusCode);
        using var known = await http.SendAsync(new HttpRequestMessage(HttpMethod.Get, $"/repository/{bundle}") { Headers = { IfNoneMatch = { fixedFile.Headers.ETag! } } }, Token);
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
    }
}
