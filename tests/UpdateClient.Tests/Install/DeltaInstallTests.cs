using Appliance.Core.Releases;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using UpdateClient.Tests.Sources;

namespace UpdateClient.Tests.Install;

/// <summary>Updates that use what the device has.</summary>
public sealed class DeltaInstallTests(PublishedPair pair) : IClassFixture<PublishedPair>, IDisposable
{
    private const int Size = PublishedPair.Size;
    private static readonly HttpSourceOptions Quick = new() { FirstPause = TimeSpan.FromMilliseconds(2), LongestPause = TimeSpan.FromMilliseconds(50), Tries = 3 };
    private readonly UpdateScene _scene = new(pair.Scene);

    public void Dispose() => _scene.Dispose();

    private Release Newest()
    {
        using var writer = _scene.Writer();
        var target = writer.TargetsOf("stable").Single(target => target.Path.Contains("1.1", StringComparison.Ordinal));
        return ReleaseReader.Parse(File.ReadAllBytes(Path.Combine(_scene.Repository, target.PathInRepository(true))));
    }

    private void Damage(ObjectReference reference)
    {
        var path = Path.Combine(_scene.Repository, reference.Path);
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    [Fact]
    public async Task Install_FromTheVersionBefore_TakesThePatch()
    {
        var source = new FolderSource(_scene.Repository);

        var result = await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
        Assert.Equal(PlannedWay.Patch, result.Ways["root.erofs"]);
        Assert.Equal(PlannedWay.Patch, result.Ways["uki.efi"]);
        Assert.InRange(result.Downloaded, 1, 300_000);
        Assert.Empty(result.Warnings);
    }

    /// <summary>Half of it is bad blocks: what can be had elsewhere is.</summary>
    [Fact]
    public async Task Install_WhenTheRunningRootCannotBeRead_TakesAnotherWay()
    {
        using var disk = new BadDisk(_scene.Plain("1.0", "root.erofs"), goodBytes: Size / 2);

        var result = await _scene.InstallAsync(new FolderSource(_scene.Repository));

        _scene.AssertInstalled("1.1");
        Assert.NotEqual(PlannedWay.Patch, result.Ways["root.erofs"]);
        Assert.Contains(result.Warnings, warning => warning.StartsWith("patch: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Install_FromAVersionThatHasNoPatch_FetchesOnlyTheChunksThatDiffer()
    {
        _scene.Device = _scene.Device with { Version = "0.7" };
        await using var server = new FaultyServer(_scene.Repository);
        using var source = new HttpSource(server.Address, Quick);

        var result = await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
        Assert.Equal(PlannedWay.Chunks, result.Ways["root.erofs"]);
        Assert.InRange(server.Sent, 1, Size / 8);
    }

    [Fact]
    public async Task Install_FromAServerWithoutRanges_TakesTheWholeInsteadOfChunks()
    {
        _scene.Device = _scene.Device with { Version = "0.7" };
        await using var server = new FaultyServer(_scene.Repository) { Spoil = _ => new FaultyServer.Fault { IgnoreRange = true } };
        using var source = new HttpSource(server.Address, Quick);

        var result = await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
        Assert.Equal(PlannedWay.Full, result.Ways["root.erofs"]);
    }

    [Fact]
    public async Task Install_OverARunningRootThatIsNotWhatItSays_FallsBackFromThePatch()
    {
        var root = await File.ReadAllBytesAsync(_scene.Plain("1.0", "root.erofs"));
        for (var at = 256 << 10; at < 384 << 10; at += 4096) root[at] ^= 0x55;
        await File.WriteAllBytesAsync(_scene.Plain("1.0", "root.erofs"), root);

        var result = await _scene.InstallAsync();

        _scene.AssertInstalled("1.1");
        Assert.Equal(PlannedWay.Chunks, result.Ways["root.erofs"]);
        Assert.Single(result.Warnings);
    }

    [Fact]
    public async Task Install_WhenPatchAndChunksAreDamaged_FetchesTheWhole()
    {
        var release = Newest();
        foreach (var payload in release.Payloads)
        {
            Damage(payload.Patches[0].Patch);
            Damage(payload.Chunks!.Index);
        }

        var result = await _scene.InstallAsync();

        _scene.AssertInstalled("1.1");
        Assert.All(result.Ways.Values, way => Assert.Equal(PlannedWay.Full, way));
        Assert.Equal(4, result.Warnings.Count);
    }

    [Fact]
    public async Task Install_WhenThePatchIsGone_FallsBack()
    {
        foreach (var payload in Newest().Payloads) File.Delete(Path.Combine(_scene.Repository, payload.Patches[0].Patch.Path));

        var result = await _scene.InstallAsync();

        _scene.AssertInstalled("1.1");
        Assert.Equal(PlannedWay.Chunks, result.Ways["root.erofs"]);
    }

    [Fact]
    public async Task Install_PatchInterrupted_GoesOnWithTheRestOfThePatch()
    {
        var patch = Newest().Payloads[0].Patches[0].Patch;
        await using var server = new FaultyServer(_scene.Repository);
        var fail = true;
        server.Spoil = request => fail && request.Path == patch.Path ? request.From < 1000 ? new FaultyServer.Fault { CutAfter = 1000 } : new FaultyServer.Fault { Status = 503 } : null;
        // The first piece never comes whole, so what the spool has is what was there before: half of the patch.
        Directory.CreateDirectory(_scene["state"]);
        await Assert.ThrowsAsync<Appliance.Core.UserError>(async () =>
        {
            using var source = new HttpSource(server.Address, Quick);
            await _scene.InstallAsync(source);
        });
        var half = (await File.ReadAllBytesAsync(Path.Combine(_scene.Repository, patch.Path)))[..(int)(patch.Size / 2)];
        await File.WriteAllBytesAsync(Path.Combine(_scene["state"], $"patch-{patch.Sha256}"), half);
        fail = false;
        var before = server.Log.Count;

        using (var source = new HttpSource(server.Address, Quick)) await _scene.InstallAsync(source);

        _scene.AssertInstalled("1.1");
        Assert.All(server.Log.Skip(before).Where(request => request.Path == patch.Path), request => Assert.True(request.From >= half.Length));
    }

    [Fact]
    public async Task Plan_ReportsAllWays_TheCheapestFirst()
    {
        _scene.Device = _scene.Device with { Version = "0.7" };
        var installer = _scene.Installer(new FolderSource(_scene.Repository));

        using var plan = await installer.PlanAsync(await installer.CheckAsync("stable", CancellationToken.None), _scene.Running, _scene.Slot, CancellationToken.None);

        Assert.Equal([PlannedWay.Chunks, PlannedWay.Full], plan.Payloads[0].Ways.Select(way => way.Name));
        Assert.True(plan.Payloads[0].Ways[0].DownloadBytes < plan.Payloads[0].Ways[1].DownloadBytes);
    }
}
