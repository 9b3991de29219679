using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.ImageBuilder.Publish;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Workloads;

/// <summary>Workloads lie in the same repositories as images, and neither is taken for the other.</summary>
public sealed class PublishWorkloadTests : IDisposable
{
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    private static Task<CheckReport> CheckAsync(UpdateScene scene, string? bundle = null)
    {
        File.WriteAllBytes(scene["root.json"], scene.Root);
        var check = new RepositoryCheck(scene["root.json"], scene.Time, scene.Observer);
        return bundle is null ? check.CheckRepositoryAsync(scene.Repository, CancellationToken.None) : check.CheckBundleAsync(bundle, CancellationToken.None);
    }

    [Fact]
    public async Task Publish_AWorkloadBesideAnImageOfTheSameName_IsSound_AndTheDeviceTakesTheImage()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "9.0", id: "edge"));

        Assert.Empty((await CheckAsync(_scene)).Faults);
        Assert.Equal("1.1", (await _scene.InstallAsync()).Version);
        _scene.AssertInstalled("1.1");
    }

    [Fact]
    public async Task Publish_ASecondVersion_OffersPatchAndChunksThatMakeIt()
    {
        using var scene = new UpdateScene { Deltas = true };
        await scene.PublishAsync(await SomeWorkload.BuildAsync(scene, "1.0", layerSize: 96 << 10));

        var published = await scene.PublishAsync(await SomeWorkload.BuildAsync(scene, "1.1", layerSize: 96 << 10));

        Assert.Empty((await CheckAsync(scene)).Faults);
        var payload = Assert.Single(published.Release.Payloads);
        Assert.InRange(payload.Patches.Single().Patch.Size, 1, payload.Size / 10);
        Assert.NotNull(payload.Chunks);
        Assert.Contains("patches from 1.0", scene.Observer.Stages);
    }

    [Fact]
    public async Task Export_OfAWorkload_IsSound_ButNoUpdateOfTheOperatingSystem()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "2.0"));

        var exported = await new OfflineExport(_scene.Repository, "stable", null, _scene.Time, "shop").WriteAsync(_scene["shop.offline"], null, CancellationToken.None);
        var image = await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["image.offline"], null, CancellationToken.None);

        Assert.Equal((BundleKind.Workload, "2.0"), (exported.Offer.Kind, exported.Offer.Version));
        Assert.Equal((BundleKind.Image, "1.1"), (image.Offer.Kind, image.Offer.Version));
        Assert.Empty((await CheckAsync(_scene, _scene["shop.offline"])).Faults);
        await using var source = (BundleSource)await RepositoryLocation.OpenAsync(_scene["shop.offline"], null, CancellationToken.None);
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.Installer(source).CheckAsync("stable", CancellationToken.None));
        Assert.Contains("brings the workload shop 2.0 and no operating system", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_WithoutAnId_OfAChannelWithWorkloadsAlone_SaysWhichThereAre()
    {
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "2.0"));

        Task ExportAsync(string? id) => new OfflineExport(_scene.Repository, "stable", null, _scene.Time, id).WriteAsync(_scene["x"], null, CancellationToken.None);

        Assert.Contains("shop", (await Assert.ThrowsAsync<UserError>(() => ExportAsync(null))).Hint, StringComparison.Ordinal);
        Assert.Contains("nothing with the id other", (await Assert.ThrowsAsync<UserError>(() => ExportAsync("other"))).Message, StringComparison.Ordinal);
        Assert.Equal(UpdateVerdict.UpToDate, (await _scene.Installer(new FolderSource(_scene.Repository)).CheckAsync("stable", CancellationToken.None)).Verdict);
    }
}
