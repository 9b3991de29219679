using System.Text;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;

namespace Core.Tests.Tuf;

public sealed class RepositoryWriterTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tuf");
    private readonly MemorySigners _keys = new("root", "timestamp", "snapshot", "targets", "stable", "beta");
    private readonly SettableTime _time = new(Now);
    private readonly byte[] _root;

    public RepositoryWriterTests() =>
        _root = RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, _ => 1), _keys, Now, TimeSpan.FromDays(365));

    public void Dispose() => _folder.Delete(recursive: true);

    private TufRepositoryWriter Open(Action<string>? beforeStep = null) => TufRepositoryWriter.Open(_folder.FullName, _root, _keys, null, _time, beforeStep);

    private static TargetFile Target(string path, string content) => TargetFile.Of(path, Encoding.UTF8.GetBytes(content), JsonElement.Parse("""{"version":"1.0","rollout":10}"""));

    private string[] Files => [.. _folder.EnumerateFiles("*", SearchOption.AllDirectories).Select(file => file.Name).Where(name => name != ".lock").Order(StringComparer.Ordinal)];

    private void Publish(string channel, string name, string content)
    {
        using var writer = Open();
        writer.SetTarget(channel, Target($"{channel}/{name}", content));
        writer.Commit();
    }

    /// <summary>What a reader that trusts the first root sees: the version of the stable channel, checked like a device does.</summary>
    private TrustedMetadata Read()
    {
        byte[]? file(string name) => File.Exists(Path.Combine(_folder.FullName, "metadata", name)) ? File.ReadAllBytes(Path.Combine(_folder.FullName, "metadata", name)) : null;
        var trusted = new TrustedMetadata(_root, "root", new UpdateTime(_time.GetUtcNow(), default, synchronised: true));
        while (file($"{trusted.Root.Version + 1}.root.json") is { } next) trusted.TrustRoot(trusted.CheckNextRoot(next, "root")!);
        trusted.RequireUnexpiredRoot();
        trusted.UpdateTimestamp(file("timestamp.json")!, "timestamp");
        trusted.UpdateSnapshot(file($"{trusted.Timestamp!.Snapshot.Version}.snapshot.json")!, "snapshot");
        var targets = trusted.UpdateTargets(file($"{trusted.Snapshot!.Files["targets.json"].Version}.targets.json")!, "targets");
        foreach (var role in targets.Delegations) trusted.UpdateDelegated(file($"{trusted.Snapshot.Files[role.FileName].Version}.{role.FileName}")!, role.FileName, targets, role);
        return trusted;
    }

    [Fact]
    public void Commit_TheFirstTarget_MakesTheWholeRepository()
    {
        Publish("stable", "a.json", "one");

        Assert.Equal(["1.root.json", "1.snapshot.json", "1.stable.json", "1.targets.json", "timestamp.json"], Files);
        var entry = Read().TargetsOf("stable")!.Targets["stable/a.json"];
        Assert.Equal(3, entry.Length);
        Assert.Equal(10, entry.Custom!.Value.GetProperty("rollout").GetInt32());
    }

    [Fact]
    public void Commit_ASecondTarget_WritesOnlyWhatChanged()
    {
        Publish("stable", "a.json", "one");
        Publish("stable", "b.json", "two");
        Publish("beta", "a.json", "three");

        Assert.Equal(["1.beta.json", "1.root.json", "1.snapshot.json", "1.stable.json", "1.targets.json", "2.snapshot.json", "2.stable.json", "2.targets.json", "3.snapshot.json", "timestamp.json"], Files);
        var trusted = Read();
        Assert.Equal(2, trusted.TargetsOf("stable")!.Targets.Count);
        Assert.Single(trusted.TargetsOf("beta")!.Targets);
        Assert.Equal(3, trusted.Timestamp!.Version);
    }

    [Fact]
    public void Commit_TheSameTargetAgain_WritesNothing()
    {
        Publish("stable", "a.json", "one");
        using var writer = Open();
        writer.SetTarget("stable", Target("stable/a.json", "one"));

        Assert.False(writer.Commit());
    }

    [Theory]
    [InlineData("root")]
    [InlineData("timestamp")]
    [InlineData("snapshot")]
    [InlineData("targets")]
    [InlineData("stable")]
    public void ReplaceKeys_OfARole_IsAcceptedByAReaderOfTheFirstRoot_AndTheOldKeyIsOfNoUse(string role)
    {
        Publish("stable", "a.json", "one");
        var old = _keys.Roles[role].ToList();
        var replacement = _keys.Add(role);
        using (var writer = Open())
        {
            writer.ReplaceKeys(role, [replacement.Key], 1);
            writer.Commit();
        }
        Read();
        old.ForEach(key => _keys.Roles[role].Remove(key));

        Publish("stable", "b.json", "two");
        using (var writer = Open())
        {
            foreach (var each in (string[])["root", "targets", "stable", "timestamp"]) writer.Renew(each);
            writer.Commit();
        }

        Assert.Equal(2, Read().TargetsOf("stable")!.Targets.Count);
        _keys.Roles[role].Clear();
        _keys.Roles[role].AddRange(old);
        using var late = Open();
        late.Renew(role);
        Assert.Contains("not at hand", Assert.Throws<UserError>(() => late.Commit()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_ToSignOnTopOfWhatSomebodyElsePutThere()
    {
        Publish("stable", "a.json", "one");
        var path = Path.Combine(_folder.FullName, "metadata", "1.stable.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("stable/a.json", "stable/b.json", StringComparison.Ordinal));

        Assert.Contains("metadata/1.stable.json is refused", Assert.Throws<UserError>(Open2).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_ARepositoryOfOtherKeys()
    {
        Publish("stable", "a.json", "one");
        var other = new MemorySigners("root", "timestamp", "snapshot", "targets", "stable");
        var root = RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, _ => 1), other, Now, TimeSpan.FromDays(365));

        var error = Assert.Throws<UserError>(() => TufRepositoryWriter.Open(_folder.FullName, root, other));

        Assert.Contains("does not belong to these keys", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_ASecondWriter()
    {
        using var first = Open();

        Assert.Contains("being published to by another process", Assert.Throws<UserError>(Open2).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhereNothingCanBeWritten_SaysSo()
    {
        var file = Path.Combine(_folder.FullName, "file");
        File.WriteAllText(file, "");

        Assert.Contains("cannot be written", Assert.Throws<UserError>(() => TufRepositoryWriter.Open(file, _root, _keys)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_ToRewriteAPublishedFile()
    {
        Publish("stable", "a.json", "one");
        using var folder = new MetadataFolder(_folder.FullName, null);
        folder.WriteOnce("1.stable.json", File.ReadAllBytes(Path.Combine(_folder.FullName, "metadata", "1.stable.json")));

        Assert.Contains("with another content", Assert.Throws<UserError>(() => folder.WriteOnce("1.stable.json", "{}"u8)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("beta/a.json")]
    [InlineData("stable/x/a.json")]
    [InlineData("stable/../a.json")]
    [InlineData("stable/")]
    public void Refuses_ATargetOutsideItsChannel(string path)
    {
        using var writer = Open();

        Assert.Throws<UserError>(() => writer.SetTarget("stable", Target(path, "x")));
    }

    [Theory]
    [InlineData("root")]
    [InlineData("Stable")]
    [InlineData("")]
    [InlineData("a/b")]
    public void Refuses_AChannelNameThatIsNone(string channel)
    {
        using var writer = Open();

        Assert.Throws<UserError>(() => writer.AddChannel(channel));
    }

    [Fact]
    public void Refuses_ToPublishUnderAnExpiredRoot_UntilItIsRenewed()
    {
        Publish("stable", "a.json", "one");
        _time.Now += TimeSpan.FromDays(400);
        Assert.Contains("appliance keys renew --role root", Assert.Throws<UserError>(() => Publish("stable", "b.json", "two")).ToString(), StringComparison.Ordinal);

        using (var writer = Open())
        {
            Assert.Equal(["root", "targets", "snapshot", "timestamp", "stable"], writer.RenewDue().Renewed);
            writer.Commit();
        }
        Publish("stable", "b.json", "two");

        Assert.Equal(2, Read().TargetsOf("stable")!.Targets.Count);
    }

    [Fact]
    public void Renew_OfTheTimestamp_RenewsTheSnapshotOnlyInTheSecondHalfOfItsLife()
    {
        Publish("stable", "a.json", "one");
        foreach (var (days, snapshot) in ((int, long)[])[(6, 1), (50, 2)])
        {
            _time.Now = Now.AddDays(days);
            using var writer = Open();
            writer.Renew("timestamp");
            writer.Commit();
            Assert.Equal(snapshot, writer.Current!.Snapshot!.Version);
            Assert.Equal(_time.Now.AddDays(7), writer.Current.Timestamp!.Expires);
        }
    }

    /// <summary>Keys that lie in a safe are no reason not to publish, nor for the timestamp to run out.</summary>
    [Fact]
    public void RolesThatAreDue_AndWhoseKeysAreElsewhere_AreLeft_AndSaid()
    {
        Publish("stable", "a.json", "one");
        _time.Now += TimeSpan.FromDays(200);
        _keys.Roles.Remove("root");
        _keys.Roles.Remove("targets");

        using (var writer = Open())
        {
            var due = writer.RenewDue();
            Assert.Equal(["snapshot", "timestamp", "stable"], due.Renewed);
            Assert.Equal(["root", "targets"], due.Left.Select(left => left.Role));
            Assert.Contains(due.Warnings, warning => warning.Contains("appliance keys renew --role root", StringComparison.Ordinal));
            writer.Commit();
        }
        Publish("stable", "b.json", "two");

        Assert.Equal(2, Read().TargetsOf("stable")!.Targets.Count);
    }

    [Fact]
    public void RemoveTarget_TakesItOut_AndMembersOfOthersStay()
    {
        Publish("stable", "a.json", "one");
        Publish("stable", "b.json", "two");
        using var writer = Open();
        writer.RemoveTarget("stable", "stable/a.json");
        writer.RemoveTarget("stable", "stable/none.json");
        writer.Commit();

        Assert.Equal("stable/b.json", Assert.Single(writer.TargetsOf("stable")).Path);
    }

    private void Open2() => Open().Dispose();
}
