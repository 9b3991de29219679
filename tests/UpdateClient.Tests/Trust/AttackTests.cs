using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Tuf;
using Core.Tests.Tuf;

namespace UpdateClient.Tests.Trust;

/// <summary>The attacks that the TUF specification names (1.5.2), one test or more each.</summary>
public sealed class AttackTests : IDisposable
{
    private readonly Scene _scene = new Scene().Publish();

    public void Dispose() => _scene.Dispose();

    [Theory]
    [InlineData("2.root.json")]
    [InlineData("timestamp.json")]
    public async Task Refuses_ArbitrarySoftware_SignedByAStranger(string file)
    {
        _scene.Rotate("root");
        _scene.Write(file, _scene.Forge(file, _ => { }, new MemorySigner()));

        Assert.Contains("0 of the 1 valid signatures", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("targets")]
    [InlineData("stable")]
    public async Task Refuses_ArbitrarySoftware_OfAThiefOfTheOnlineKeys(string role)
    {
        _scene.ForgeListed(role, _scene.Forge($"1.{role}.json", signed => signed["version"] = 2, _scene.Key("snapshot"), _scene.Key("timestamp"), new MemorySigner()), 2);

        Assert.Contains($"needed for role {role}", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ArbitrarySoftware_SnapshotSignedByTheTimestampKey()
    {
        var forged = _scene.Forge("1.snapshot.json", _ => { }, _scene.Key("timestamp"));
        _scene.Write("1.snapshot.json", forged);
        _scene.Write("timestamp.json", _scene.Forge("timestamp.json", signed => signed["meta"]!["snapshot.json"] = Scene.Listing(forged, 1), _scene.Key("timestamp")));

        Assert.Contains("needed for role snapshot", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_AChangedByte_InEveryFile()
    {
        foreach (var file in (string[])["timestamp.json", "1.snapshot.json", "1.targets.json", "1.stable.json"])
        {
            var original = _scene.Read(file);
            var changed = (byte[])original.Clone();
            changed[^10] ^= 1;
            _scene.Mirror.Instead[$"metadata/{file}"] = changed;
            Assert.Contains($"metadata/{file}", await _scene.RefusalAsync(), StringComparison.Ordinal);
            _scene.Mirror.Instead.Clear();
        }
        Assert.Single(await _scene.CheckAsync());
    }

    [Fact]
    public async Task Refuses_ANewRoot_NotSignedByTheOldKeys()
    {
        var thief = new MemorySigner();
        _scene.Write("2.root.json", _scene.Forge("1.root.json", signed => OnlyRootKey(signed, thief, 2), thief));

        Assert.Contains("needed for role root (root version 1)", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ANewRoot_NotSignedByItsOwnKeys()
    {
        _scene.Write("2.root.json", _scene.Forge("1.root.json", signed => OnlyRootKey(signed, new MemorySigner(), 2), _scene.Key("root")));

        Assert.Contains("needed for role root (root version 2)", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ANewRoot_WithoutSignatures()
    {
        _scene.Write("2.root.json", _scene.Forge("1.root.json", signed => signed["version"] = 2));

        Assert.Contains("0 of the 1", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ASkippedRootVersion()
    {
        _scene.Write("2.root.json", _scene.Forge("1.root.json", signed => signed["version"] = 3, _scene.Key("root")));

        Assert.Contains("only version 2 may follow", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_RollbackOfRoot()
    {
        _scene.Renew("root");
        await _scene.RefreshAsync();
        _scene.Write("3.root.json", _scene.Read("1.root.json"));

        Assert.Contains("version 1 of the root", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheTrustedRootOfferedAgain_IsDiscarded_AndTheUpdateGoesOn()
    {
        _scene.Write("2.root.json", _scene.Read("1.root.json"));

        Assert.Equal(1, (await _scene.RefreshAsync()).Trusted.Root.Version);
    }

    [Fact]
    public async Task Refuses_RollbackOfTimestamp()
    {
        _scene.SaveRepository("old");
        _scene.Publish(content: "two");
        await _scene.CheckAsync();
        _scene.RestoreRepository("old");

        Assert.Contains("go back to version 1 of timestamp", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_RollbackOfSnapshot_ByAThiefOfTheTimestampKey()
    {
        var old = _scene.Read("timestamp.json");
        _scene.Publish(content: "two");
        await _scene.CheckAsync();
        _scene.Write("timestamp.json", Scene.Forge(old, signed => signed["version"] = 9, _scene.Key("timestamp")));

        Assert.Contains("go back to version 1 of snapshot", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("targets")]
    [InlineData("stable")]
    public async Task Refuses_RollbackOfTargets_ByAThiefOfTheOnlineKeys(string role)
    {
        _scene.Publish(content: "two");
        _scene.Renew("targets");
        await _scene.CheckAsync();
        _scene.ForgeSnapshot(meta => meta[$"{role}.json"] = Scene.Listing(_scene.Read($"1.{role}.json"), 1));

        Assert.Contains($"go back to version 1 of {role}.json", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ASnapshotThatNoLongerListsARole()
    {
        await _scene.CheckAsync();
        _scene.ForgeSnapshot(meta => meta.Remove("stable.json"));

        Assert.Contains("no longer lists stable.json", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FastForward_LocksOut_UntilTheKeysAreReplaced()
    {
        _scene.SaveRepository("good");
        _scene.ForgeSnapshot(meta => meta["stable.json"]!["version"] = 1, version: 1_000_000, timestampVersion: long.MaxValue);
        await _scene.CheckAsync();
        _scene.RestoreRepository("good");
        Assert.Contains("go back", await _scene.RefusalAsync(), StringComparison.Ordinal);

        _scene.Rotate("timestamp");

        Assert.Single(await _scene.CheckAsync());
    }

    [Fact]
    public async Task FastForward_OfTargets_IsRecoveredByReplacingTheSnapshotKey()
    {
        _scene.SaveRepository("good");
        _scene.ForgeListed("stable", _scene.Forge("1.stable.json", signed => signed["version"] = 1_000_000, _scene.Key("stable")), 1_000_000);
        await _scene.CheckAsync();
        _scene.RestoreRepository("good");
        _scene.Renew("timestamp");
        _scene.Renew("timestamp");
        Assert.Contains("go back", await _scene.RefusalAsync(), StringComparison.Ordinal);

        _scene.Rotate("snapshot");

        Assert.Single(await _scene.CheckAsync());
    }

    [Fact]
    public async Task Refuses_IndefiniteFreeze()
    {
        await _scene.CheckAsync();
        _scene.Time.Now += TimeSpan.FromDays(8);

        var refusal = await _scene.RefusalAsync();

        Assert.Contains("expired at 2026-06-08T12:00:00Z; it is 2026-06-09T12:00:00Z here", refusal, StringComparison.Ordinal);
        Assert.Contains("appliance keys renew --role timestamp", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(91, "snapshot.json")]
    [InlineData(366, "root")]
    public async Task Refuses_AFreezeOfTheSlowerRoles(int days, string what)
    {
        _scene.Time.Now += TimeSpan.FromDays(days);
        _scene.Write("timestamp.json", _scene.Forge("timestamp.json", signed => signed["expires"] = "2030-01-01T00:00:00Z", _scene.Key("timestamp")));

        Assert.Matches($"{what}.* expired at", await _scene.RefusalAsync());
    }

    [Theory]
    [InlineData("targets")]
    [InlineData("stable")]
    public async Task Refuses_ExpiredTargets(string role)
    {
        _scene.ForgeListed(role, _scene.Forge($"1.{role}.json", signed => { signed["version"] = 2; signed["expires"] = "2026-05-31T00:00:00Z"; }, _scene.Key(role)), 2);

        Assert.Contains($"2.{role}.json expired at 2026-05-31T00:00:00Z", await _scene.RefusalAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("metadata/2.root.json", 512_000)]
    [InlineData("metadata/timestamp.json", 16_384)]
    public async Task Refuses_EndlessData_WhereNoLengthIsKnown(string path, int limit)
    {
        _scene.Mirror.Instead[path] = new byte[limit + 1];

        await _scene.RefusalAsync();

        Assert.Contains((path, limit), _scene.Mirror.Asked);
    }

    [Fact]
    public async Task Refuses_EndlessData_BeyondTheStatedLength()
    {
        var (target, client) = ((await _scene.CheckAsync())[0], await _scene.RefreshAsync());
        await client.ReadTargetAsync(target, 1000, CancellationToken.None);

        Assert.Contains(_scene.Mirror.Asked, asked => asked == ("metadata/1.snapshot.json", _scene.Read("1.snapshot.json").Length));
        Assert.Contains(_scene.Mirror.Asked, asked => asked == ("metadata/1.stable.json", _scene.Read("1.stable.json").Length));
        Assert.Equal(3, _scene.Mirror.Asked[^1].Limit);
        Assert.Contains("2 B is the most", (await Assert.ThrowsAsync<UserError>(() => client.ReadTargetAsync(target, 2, CancellationToken.None))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_MixAndMatch_AnOlderSignedSnapshotUnderTheNewName()
    {
        _scene.Publish(content: "two");
        _scene.Write("2.snapshot.json", _scene.Read("1.snapshot.json"));

        // Signatures have 70 to 72 bytes, so either file may be the longer one.
        Assert.Matches("(the timestamp says|is larger than [0-9]+ bytes)", await _scene.RefusalAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Refuses_MixAndMatch_TargetsOfAnotherSnapshot(bool hashes)
    {
        _scene.Publish(content: "two");
        if (!hashes) _scene.ForgeSnapshot(meta => meta["stable.json"] = new JsonObject { ["version"] = 2 }); // hashes are optional (4.4)
        _scene.Write("2.stable.json", _scene.Read("1.stable.json"));

        Assert.Matches(hashes ? "(bytes, the snapshot says|is larger than [0-9]+ bytes|its hash is another than the snapshot says)" : "it is version 1, the snapshot says 2", await _scene.RefusalAsync());
    }

    [Theory]
    [InlineData("owt")]
    [InlineData("on")]
    [InlineData("")]
    public async Task Refuses_WrongSoftware_InTheTargetsPlace(string content)
    {
        var client = await _scene.RefreshAsync();
        var target = (await client.FindTargetAsync("stable/a.json", CancellationToken.None))!;
        _scene.Mirror.Instead[target.PathInRepository(true)] = Encoding.UTF8.GetBytes(content);

        var error = await Assert.ThrowsAsync<UserError>(() => client.ReadTargetAsync(target, 1000, CancellationToken.None));

        Assert.Contains("not the file that the metadata vouches for", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_ATarget_OutsideThePathsOfItsRole()
    {
        _scene.Publish("beta", "b.json", "two");
        _scene.ForgeListed("beta", _scene.Forge("1.beta.json", signed =>
        {
            signed["version"] = 2;
            signed["targets"]!["stable/evil.json"] = signed["targets"]!["beta/b.json"]!.DeepClone();
        }, _scene.Key("beta")), 2);

        var client = await _scene.RefreshAsync();

        Assert.Null(await client.FindTargetAsync("stable/evil.json", CancellationToken.None));
        Assert.Equal("beta/b.json", Assert.Single(await client.ReadChannelAsync("beta", CancellationToken.None)).Path);
    }

    [Theory]
    [InlineData("stable/../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("stable/%2e%2e/x")]
    public async Task Refuses_ATargetPath_ThatLeavesTheRepository(string path)
    {
        var client = await _scene.RefreshAsync();

        await Assert.ThrowsAsync<UserError>(() => client.ReadTargetAsync(TargetFile.Of(path, [1]), 1000, CancellationToken.None));

        Assert.DoesNotContain(_scene.Mirror.Asked, asked => asked.Path.Contains("passwd", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("metadata/timestamp.json")]
    [InlineData("metadata/2.snapshot.json")]
    [InlineData("metadata/2.stable.json")]
    public async Task AMaliciousMirror_IsNoticed_AndAGoodOneServesAfterwards(string withheld)
    {
        await _scene.CheckAsync();
        _scene.Publish(name: "b.json", content: "two");
        _scene.Mirror.Instead[withheld] = null;
        Assert.Contains($"The repository has no {withheld}", await _scene.RefusalAsync(), StringComparison.Ordinal);

        _scene.Mirror.Instead.Clear();

        Assert.Equal(2, (await _scene.CheckAsync()).Count);
    }

    private static void OnlyRootKey(JsonObject signed, MemorySigner key, long version)
    {
        signed["version"] = version;
        signed["keys"]![key.Key.Id] = new JsonObject { ["keytype"] = key.Key.KeyType, ["scheme"] = key.Key.Scheme, ["keyval"] = new JsonObject { ["public"] = key.Key.Public } };
        signed["roles"]!["root"] = new JsonObject { ["keyids"] = new JsonArray(key.Key.Id), ["threshold"] = 1 };
    }
}
