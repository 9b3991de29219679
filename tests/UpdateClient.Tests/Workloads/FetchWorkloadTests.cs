using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.ImageBuilder.Publish;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Workloads;

/// <summary>A device fetches a workload's release the cheapest way, verified, and goes on where it was stopped.</summary>
public sealed class FetchWorkloadTests : IDisposable
{
    private const int LayerSize = 24 << 20; // a dozen windows

    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    private sealed record Fetched(UpdateCheck Check, UpdateResult? Result, string Path);

    private static async Task<Fetched> FetchAsync(UpdateScene scene, string? id = "shop", string? version = null, IRepositorySource? source = null, bool force = false, string architecture = "amd64", CancellationToken cancellationToken = default)
    {
        var files = source ?? new FolderSource(scene.Repository);
        var options = new UpdateOptions { StateFolder = scene["fetch"], Time = scene.Time, Force = force };
        var fetcher = new WorkloadFetcher(files, new TufClient(files, scene["trust"], scene.Root, new TufClientOptions { Time = scene.Time }), "stable");
        await fetcher.RefreshAsync(cancellationToken);
        var workload = new DeviceFacts { Kind = BundleKind.Workload, DeviceId = "device-1", Id = id ?? fetcher.ReadOnlyId(), Board = BundleHeader.AnyBoard, Architecture = architecture, Version = version };
        var check = fetcher.Choose(workload, options);
        var path = scene["fetched.tar"];
        if (check.Verdict != UpdateVerdict.Available) return new Fetched(check, null, path);
        using var plan = await fetcher.PlanAsync(check, version, version is null ? null : scene.Plain($"shop-{version}", "workload.tar"), path, options, cancellationToken);
        return new Fetched(check, await fetcher.FetchAsync(plan, path, options, null, cancellationToken), path);
    }

    private static void AssertFetched(UpdateScene scene, string version) =>
        Assert.Equal(File.ReadAllBytes(scene.Plain($"shop-{version}", "workload.tar")), File.ReadAllBytes(scene["fetched.tar"]));

    [Fact]
    public async Task TheFirstRelease_ComesWhole_AndNotTwice()
    {
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0"));

        var fetched = await FetchAsync(_scene);

        Assert.Equal("full", fetched.Result!.Ways["workload.tar"]);
        AssertFetched(_scene, "1.0");
        Assert.Equal("present", (await FetchAsync(_scene)).Result!.Ways["workload.tar"]);
        Assert.Equal(UpdateVerdict.UpToDate, (await FetchAsync(_scene, version: "1.0")).Check.Verdict);
    }

    [Fact]
    public async Task ANewRelease_ComesAsADifference()
    {
        using var scene = new UpdateScene { Deltas = true };
        foreach (var version in new[] { "1.0", "1.1" }) await scene.PublishAsync(await SomeWorkload.BuildAsync(scene, version, layerSize: 96 << 10));
        var size = new FileInfo(scene.Plain("shop-1.1", "workload.tar")).Length;

        var fetched = await FetchAsync(scene, version: "1.0");

        Assert.Equal("patch", fetched.Result!.Ways["workload.tar"]);
        Assert.InRange(fetched.Result.Downloaded, 1, size / 2);
        AssertFetched(scene, "1.1");
        Assert.Empty(Directory.EnumerateFiles(scene["fetch"], "patch-*"));
    }

    [Fact]
    public async Task AnInterruptedFetch_GoesOnWhereItWas()
    {
        var published = await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0", layerSize: LayerSize));
        using var stop = new CancellationTokenSource();

        // Half of it, and there are at most four windows on their way.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => FetchAsync(_scene, source: new CancellingSource(new FolderSource(_scene.Repository), stop, published.Release.Bundle.Size / 2), cancellationToken: stop.Token));
        var fetched = await FetchAsync(_scene);

        AssertFetched(_scene, "1.0");
        Assert.InRange(fetched.Result!.Downloaded, 1, published.Release.Bundle.Size * 9 / 10);
    }

    [Fact]
    public async Task WhatIsLeftOfAnotherFetch_DoesNoHarm()
    {
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0"));
        var junk = new byte[20 << 20];
        new Random(5).NextBytes(junk);
        await File.WriteAllBytesAsync(_scene["fetched.tar"], junk);

        await FetchAsync(_scene);

        AssertFetched(_scene, "1.0");
    }

    [Fact]
    public async Task ABundle_BringsItsWorkload_WithoutItsNameBeingTold()
    {
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0"));
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time, "shop").WriteAsync(_scene["shop.offline"], null, CancellationToken.None);
        await using var source = (BundleSource)await RepositoryLocation.OpenAsync(_scene["shop.offline"], null, CancellationToken.None);

        var fetched = await FetchAsync(_scene, id: null, source: source);

        Assert.Equal("shop", fetched.Check.Offer!.Id);
        AssertFetched(_scene, "1.0");
    }

    [Fact]
    public async Task ABundleOfAnOperatingSystem_IsRefused()
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(_scene["image.offline"], null, CancellationToken.None);
        await using var source = (BundleSource)await RepositoryLocation.OpenAsync(_scene["image.offline"], null, CancellationToken.None);

        var error = await Assert.ThrowsAsync<UserError>(() => FetchAsync(_scene, id: null, source: source));

        Assert.Contains("brings the operating system edge 1.1 and no workload", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("other", "amd64", "has no workload other")]
    [InlineData("shop", "arm64", "has the workload shop for amd64, and this device is arm64")]
    [InlineData("edge", "amd64", "has no workload edge")] // an image's id is none
    public async Task WhatTheChannelDoesNotHave_IsSaid(string id, string architecture, string words)
    {
        await _scene.PublishVersionAsync("1.1", 1 << 20);
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0"));

        var error = await Assert.ThrowsAsync<UserError>(() => FetchAsync(_scene, id: id, architecture: architecture));

        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARepositoryAsASource_NeedsToBeToldWhichWorkload()
    {
        await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0"));

        Assert.Contains("Which workload", (await Assert.ThrowsAsync<UserError>(() => FetchAsync(_scene, id: null))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADamagedRepository_GivesNoRelease()
    {
        var published = await _scene.PublishAsync(await SomeWorkload.BuildAsync(_scene, "1.0"));
        var bundle = Path.Combine(_scene.Repository, published.Release.Bundle.Path);
        var bytes = await File.ReadAllBytesAsync(bundle);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(bundle, bytes);

        var error = await Assert.ThrowsAsync<UserError>(() => FetchAsync(_scene));

        Assert.Contains("Payload workload.tar of version 1.0 cannot be had", error.Message, StringComparison.Ordinal);
    }
}
