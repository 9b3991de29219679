using System.Text;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;

namespace Core.Tests.Tuf;

/// <summary>A publisher who has the keys of root, targets and channels, and a server with those of snapshot and timestamp.</summary>
public sealed class AdoptTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("adopt");
    private readonly MemorySigners _publisher = new("root", "targets", "stable", "beta");
    private readonly MemorySigners _server = new("snapshot", "timestamp");
    private readonly SettableTime _time = new(Now);
    private readonly byte[] _root;
    private int _copies;

    public AdoptTests()
    {
        var all = new MemorySigners();
        foreach (var (role, signers) in _publisher.Roles.Concat(_server.Roles)) all.Roles[role] = signers;
        _root = RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, _ => 1), all, Now, TimeSpan.FromDays(365));
    }

    private string Server => Directory.CreateDirectory(Path.Combine(_folder.FullName, "server")).FullName;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void WhatThePublisherHasSigned_IsPublished_AndNobodyHasAllKeys()
    {
        Publish("stable", "a.json");
        Publish("stable", "b.json");
        Publish("beta", "c.json");

        var trusted = Read();
        Assert.Equal(["stable/a.json", "stable/b.json"], trusted.TargetsOf("stable")!.Targets.Keys.Order());
        Assert.Equal(["beta/c.json"], trusted.TargetsOf("beta")!.Targets.Keys);
        Assert.Equal((2, 2), (trusted.Targets!.Version, trusted.TargetsOf("stable")!.Version));
    }

    [Fact]
    public void TargetsThatGiveAChannelOtherKeys_ComeWithIt_OrNotAtAll()
    {
        Publish("stable", "a.json");
        var signed = Sign(writer =>
        {
            _publisher.Roles["stable"] = [new MemorySigner()];
            writer.ReplaceKeys("stable", [_publisher.Roles["stable"][0].Key], 1);
        });
        Assert.Equal(["stable", "targets"], signed.Keys.Order());

        Refuses("valid signatures needed for role stable", (TufRole.Targets, signed["targets"]));
        Adopt((TufRole.Targets, signed["targets"]), ("stable", signed["stable"]));
        Assert.Equal(2, Read().Targets!.Version);
    }

    [Fact]
    public void ARootWithOtherOnlineKeys_NeedsThemAtTheServer()
    {
        Publish("stable", "a.json");
        var next = new MemorySigner();
        var signed = Sign(writer => writer.ReplaceKeys(TufRole.Snapshot, [next.Key], 1));

        Refuses("", (TufRole.Root, signed[TufRole.Root]));
        _server.Roles["snapshot"].Add(next);
        Adopt((TufRole.Root, signed[TufRole.Root]));
        Assert.Equal(2, Read().Root.Version);
        _server.Roles["snapshot"].RemoveAt(0); // the old one is not needed any longer
        Publish("stable", "b.json");
        Assert.Equal(2, Read().TargetsOf("stable")!.Targets.Count);
    }

    [Fact]
    public void ARootWithOtherTargetsKeys_ComesWithTheTargets()
    {
        Publish("stable", "a.json");
        var next = new MemorySigner();
        _publisher.Roles["targets"].Add(next);
        var signed = Sign(writer => writer.ReplaceKeys(TufRole.Targets, [next.Key], 1));

        Refuses("valid signatures needed for role targets", (TufRole.Root, signed[TufRole.Root]));
        Adopt((TufRole.Root, signed[TufRole.Root]), (TufRole.Targets, signed[TufRole.Targets]));
        Assert.Equal(2, Read().Root.Version);
    }

    [Fact]
    public void WhatIsIncomplete_Expired_OrOutsideOfItsChannel_IsRefused()
    {
        Publish("stable", "a.json");
        var both = Sign(writer => writer.SetTarget("beta", Target("beta/b.json")));
        Refuses("they name the channel beta, which has no metadata", (TufRole.Targets, both["targets"]));
        Refuses("has no such channel", ("beta", both["beta"]));

        var later = Sign(writer => writer.SetTarget("stable", Target("stable/c.json")));
        _time.Now = Now.AddDays(366);
        Assert.Contains("the new stable metadata", Assert.ThrowsAny<UserError>(() => Adopt(("stable", later["stable"]))).Message, StringComparison.Ordinal);
        _time.Now = Now;
        Refuses("the server signs it itself", (TufRole.Snapshot, later["stable"]));
    }

    /// <summary>The first publication of a channel, cut at every step: the publisher, who knows nothing of it, publishes again.</summary>
    [Fact]
    public void ACutAnywhere_LeavesARepositoryThatCanBePublishedInto()
    {
        for (var at = 1; ; at++)
        {
            foreach (var file in new DirectoryInfo(Server).EnumerateFiles("*", SearchOption.AllDirectories)) file.Delete();
            var (steps, cut) = (0, false);
            try
            {
                Adopt(Signed(), step => cut = ++steps == at ? throw new IOException(step) : cut);
            }
            catch (IOException)
            {
                cut = true;
            }
            if (!cut)
            {
                Assert.InRange(at, 10, 100);
                return;
            }
            _time.Now += TimeSpan.FromMinutes(1); // what is signed now has other bytes
            Adopt(Signed(), null);
            Assert.Equal(["stable/a.json"], Read().TargetsOf("stable")!.Targets.Keys);
        }

        IReadOnlyDictionary<string, byte[]> Signed() => Sign(writer => writer.SetTarget("stable", Target("stable/a.json")));
    }

    private static TargetFile Target(string path) => TargetFile.Of(path, Encoding.UTF8.GetBytes(path));

    private void Publish(string channel, string name) => Adopt(Sign(writer => writer.SetTarget(channel, Target($"{channel}/{name}"))), null);

    /// <summary>Signs a change on another machine, which has a copy of what the server has.</summary>
    private IReadOnlyDictionary<string, byte[]> Sign(Action<TufRepositoryWriter> change)
    {
        var copy = Path.Combine(_folder.FullName, $"copy-{++_copies}");
        Directory.CreateDirectory(Path.Combine(copy, "metadata"));
        if (File.Exists(Path.Combine(Server, "metadata/timestamp.json")))
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Server, "metadata"), "*.json")) File.Copy(file, Path.Combine(copy, "metadata", Path.GetFileName(file)));
        using var writer = TufRepositoryWriter.Open(copy, _root, _publisher, null, _time);
        change(writer);
        return writer.SignChanges(TufRepositoryWriter.ReadVersions(Server));
    }

    private void Adopt(params (string Role, byte[] Bytes)[] files) => Adopt(files.ToDictionary(file => file.Role, file => file.Bytes), null);

    private void Adopt(IReadOnlyDictionary<string, byte[]> files, Action<string>? beforeStep)
    {
        using var writer = TufRepositoryWriter.Open(Server, _root, _server, null, _time, beforeStep);
        foreach (var role in files.Keys.OrderBy(role => role switch { TufRole.Root => 0, TufRole.Targets => 1, _ => 2 })) writer.Adopt(role, files[role]);
        writer.Commit();
    }

    /// <summary>Refuses, writes nothing, and goes on working.</summary>
    private void Refuses(string why, params (string Role, byte[] Bytes)[] files)
    {
        var before = Directory.EnumerateFiles(Path.Combine(Server, "metadata")).Order().ToList();
        Assert.Contains(why, Assert.ThrowsAny<UserError>(() => Adopt(files)).Message, StringComparison.Ordinal);
        Assert.Equal(before, Directory.EnumerateFiles(Path.Combine(Server, "metadata")).Order());
        using var writer = TufRepositoryWriter.Open(Server, _root, _server, null, _time);
        writer.Renew(TufRole.Timestamp);
        writer.Commit();
    }

    /// <summary>What a reader that trusts the first root sees.</summary>
    private TrustedMetadata Read()
    {
        using var folder = new MetadataFolder(Server, null);
        var trusted = new TrustedMetadata(_root, "root", null);
        while (folder.TryRead($"{trusted.Root.Version + 1}.root.json", TufLimits.Root) is { } next) trusted.TrustRoot(trusted.CheckNextRoot(next, "root")!);
        return PublishedMetadata.ReadRest(folder.Read, trusted.Root, folder.Read("timestamp.json", TufLimits.Timestamp));
    }
}
