using Appliance.Core;
using Appliance.UpdateClient.Trust;

namespace UpdateClient.Tests.Trust;

/// <summary>What is read, kept and survived; clocks that are wrong.</summary>
public sealed class WorkflowTests : IDisposable
{
    private readonly Scene _scene = new Scene().Publish();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task NothingNew_CostsTwoSmallReads()
    {
        await _scene.CheckAsync();
        _scene.Mirror.Asked.Clear();

        Assert.Single(await _scene.CheckAsync());

        Assert.Equal(["metadata/2.root.json", "metadata/timestamp.json"], _scene.Mirror.Asked.Select(asked => asked.Path));
    }

    [Fact]
    public async Task AnInterruptedUpdate_IsCompletedByTheNext()
    {
        await _scene.CheckAsync();
        _scene.Publish(content: "two");
        foreach (var missing in (string[])["metadata/2.snapshot.json", "metadata/2.stable.json"])
        {
            _scene.Mirror.Instead[missing] = null;
            await _scene.RefusalAsync();
            _scene.Mirror.Instead.Clear();
        }

        var target = Assert.Single(await _scene.CheckAsync());
        Assert.Equal("two", System.Text.Encoding.UTF8.GetString(await (await _scene.RefreshAsync()).ReadTargetAsync(target, 100, CancellationToken.None)));
    }

    [Theory]
    [InlineData("root.json")]
    [InlineData("timestamp.json")]
    [InlineData("snapshot.json")]
    [InlineData("targets.json")]
    [InlineData("stable.json")]
    public async Task ADamagedTrustFile_IsFetchedAgain(string name)
    {
        await _scene.CheckAsync();
        foreach (var damage in (byte[][])[[], [0xff, 0xfe], "{}"u8.ToArray()])
        {
            File.WriteAllBytes(Path.Combine(_scene.Trust, name), damage);
            Assert.Single(await _scene.CheckAsync());
        }
        Assert.Equal(["root.json", "snapshot.json", "stable.json", "targets.json", "timestamp.json"], Directory.GetFiles(_scene.Trust).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ARefusedFile_IsNotKept()
    {
        await _scene.CheckAsync();
        var kept = Directory.GetFiles(_scene.Trust).ToDictionary(file => file, File.ReadAllBytes);
        _scene.Publish(content: "two");
        _scene.Write("timestamp.json", _scene.Forge("timestamp.json", _ => { }));

        await _scene.RefusalAsync();

        Assert.All(kept, file => Assert.Equal(file.Value, File.ReadAllBytes(file.Key)));
    }

    [Fact]
    public async Task ANewerRootInTheImage_IsTakenOver_AndItsKeyChangesCount()
    {
        await _scene.CheckAsync();
        _scene.SaveRepository("good");
        _scene.ForgeSnapshot(_ => { }, version: 500, timestampVersion: 500);
        await _scene.CheckAsync();
        _scene.RestoreRepository("good");
        _scene.Rotate("timestamp");
        _scene.Root = _scene.Read("2.root.json");

        Assert.Single(await _scene.CheckAsync());
        Assert.Equal(_scene.Root, File.ReadAllBytes(Path.Combine(_scene.Trust, "root.json")));
    }

    [Fact]
    public async Task AnUnknownChannel_IsNamed_WithThoseThereAre()
    {
        var client = await _scene.RefreshAsync();

        var error = await Assert.ThrowsAsync<UserError>(() => client.ReadChannelAsync("nightly", CancellationToken.None));

        Assert.Equal("The repository has no channel nightly.\n  It has: stable", error.ToString());
    }

    [Fact]
    public async Task AClockBeforeTheImageWasBuilt_CountsAsThatMoment()
    {
        _scene.Time.Now = Scene.Start - TimeSpan.FromDays(20_000);
        Assert.Single(await _scene.CheckAsync(new TufClientOptions { MinimumTime = Scene.Start, ClockSynchronised = false }));

        Assert.Contains("it is 2026-07-01T12:00:00Z here", await _scene.RefusalAsync(new TufClientOptions { MinimumTime = Scene.Start.AddDays(30) }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnUnsetClock_AcceptsAnExpiredTimestamp_ThatHadNotExpiredWhenTheImageWasBuilt()
    {
        _scene.Time.Now = Scene.Start.AddDays(60);

        Assert.Single(await _scene.CheckAsync(new TufClientOptions { MinimumTime = Scene.Start.AddDays(5), ClockSynchronised = false }));
        Assert.Contains("expired", await _scene.RefusalAsync(new TufClientOptions { MinimumTime = Scene.Start.AddDays(8), ClockSynchronised = false }), StringComparison.Ordinal);
        Assert.Contains("expired", await _scene.RefusalAsync(new TufClientOptions { MinimumTime = Scene.Start.AddDays(5), ClockSynchronised = true }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(91)]
    [InlineData(366)]
    public async Task Refuses_AnExpiredSnapshotOrRoot_EvenWhileTheClockIsUnset(int days)
    {
        _scene.Time.Now = Scene.Start.AddDays(days);

        Assert.Contains("expired", await _scene.RefusalAsync(new TufClientOptions { MinimumTime = Scene.Start, ClockSynchronised = false }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ARollback_EvenWhileTheClockIsUnset()
    {
        _scene.SaveRepository("old");
        _scene.Publish(content: "two");
        var unset = new TufClientOptions { ClockSynchronised = false };
        await _scene.CheckAsync(unset);
        _scene.RestoreRepository("old");

        Assert.Contains("go back", await _scene.RefusalAsync(unset), StringComparison.Ordinal);
    }
}
