using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Publish;
using UpdateClient.Tests.Install;
using UpdateClient.Tests.Workloads;

namespace UpdateClient.Tests.Publish;

public sealed class DiffTests(PublishedPair pair) : IClassFixture<PublishedPair>, IDisposable
{
    private readonly UpdateScene _scene = new(pair.Scene);

    public void Dispose() => _scene.Dispose();

    private async Task<JsonObject> CompareAsync(string old, string fresh, bool cost, string? id = null)
    {
        var work = Directory.CreateDirectory(_scene[$"work-{Guid.NewGuid():N}"]);
        return await DiffCommand.CompareAsync(old, fresh, id, cost, work.FullName, _scene.Time, new StageClock(_scene.Observer), CancellationToken.None);
    }

    [Fact]
    public async Task Diff_OfBundles_WorksOutEveryWay()
    {
        var report = await CompareAsync(_scene["edge_1.0.bundle"], _scene["edge_1.1.bundle"], cost: true);

        var root = report["cost"]!.AsArray().Single(cost => (string)cost!["payload"]! == "root.erofs")!;
        Assert.True((long)root["patch"]! < (long)root["chunks"]! && (long)root["chunks"]! < (long)root["full"]!, root.ToJsonString());
    }

    [Fact]
    public async Task Diff_ListsPackagesThatDiffer()
    {
        foreach (var (folder, version, openssl) in new[] { ("old", "1.0", "3.0.1"), ("new", "1.1", "3.0.2") })
        {
            Directory.CreateDirectory(_scene[folder]);
            File.Copy(_scene[$"edge_{version}.bundle"], Path.Combine(_scene[folder], "edge.bundle"));
            var gone = version == "1.0" ? """,{"name":"gone","version":"1"}""" : "";
            await File.WriteAllTextAsync(Path.Combine(_scene[folder], "sbom.cdx.json"), $$"""{"components":[{"name":"openssl","version":"{{openssl}}"},{"name":"bash","version":"5"}{{gone}}]}""");
        }

        var packages = (await CompareAsync(_scene["old"], _scene["new"], cost: false))["packages"]!.AsArray();

        Assert.Equal("""[{"name":"gone","old":"1","new":null},{"name":"openssl","old":"3.0.1","new":"3.0.2"}]""", packages.ToJsonString());
    }

    [Fact]
    public async Task Diff_OfWorkloads_ListsImagesAndObjects_AlsoBesideAnImageOfTheSameVersion()
    {
        var first = await SomeWorkload.BuildAsync(_scene, "1.0");
        await _scene.PublishAsync(first);
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.1"));

        var report = await CompareAsync(first, $"{_scene.Repository}@stable/1.1", cost: true, id: "shop");

        var image = Assert.Single(report["images"]!.AsArray())!;
        Assert.Equal("example.org/shop/web:1", (string?)image["name"]);
        Assert.NotEqual((string?)image["old"], (string?)image["new"]);
        Assert.Equal("""[{"object":"ConfigMap words","old":true,"new":true}]""", report["objects"]!.ToJsonString());
        Assert.Equal("workload.tar", (string?)Assert.Single(report["cost"]!.AsArray())!["payload"]);
        Assert.Contains("no version 1.1 of till", (await Assert.ThrowsAsync<UserError>(() => CompareAsync(first, $"{_scene.Repository}@1.1", cost: false, id: "till"))).Message, StringComparison.Ordinal);
    }
}
