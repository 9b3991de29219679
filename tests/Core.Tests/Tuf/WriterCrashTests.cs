using System.Text;
using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;

namespace Core.Tests.Tuf;

/// <summary>
/// The writer is stopped before every write, rename and fsync in turn, leaving half a temporary file as a power cut does. A
/// reader must see the old or the new state, and the same change made again must succeed.
/// </summary>
public sealed class WriterCrashTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("crash");
    private readonly MemorySigners _keys = new("root", "timestamp", "snapshot", "targets", "stable", "beta");
    private readonly byte[] _root;

    public WriterCrashTests() =>
        _root = RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, _ => 1), _keys, Now, TimeSpan.FromDays(365));

    public void Dispose() => _folder.Delete(recursive: true);

    private sealed class PowerCut : Exception;

    private string Repository => Path.Combine(_folder.FullName, "repository");

    private TufRepositoryWriter Open(Action<string>? beforeStep = null) => TufRepositoryWriter.Open(Repository, _root, _keys, null, new SettableTime(Now), beforeStep);

    private static TargetFile Target(string path) => TargetFile.Of(path, Encoding.UTF8.GetBytes(path));

    private byte[]? Metadata(string name) => File.Exists(Path.Combine(Repository, "metadata", name)) ? File.ReadAllBytes(Path.Combine(Repository, "metadata", name)) : null;

    /// <summary>The targets a device sees that has seen the state <paramref name="before"/>.</summary>
    private string Read(TrustedMetadata? before, out TrustedMetadata trusted)
    {
        trusted = new TrustedMetadata(before?.Root.Envelope.Bytes ?? _root, "root", new UpdateTime(Now, default, synchronised: true));
        while (Metadata($"{trusted.Root.Version + 1}.root.json") is { } next) trusted.TrustRoot(trusted.CheckNextRoot(next, "root")!);
        if (before is not null && !TrustedMetadata.RotatesOnlineKeys(before.Root, trusted.Root))
        {
            trusted.RestoreTimestamp(before.Timestamp!.Envelope.Bytes, "timestamp");
            trusted.RestoreSnapshot(before.Snapshot!.Envelope.Bytes, "snapshot");
        }
        trusted.UpdateTimestamp(Metadata("timestamp.json")!, "timestamp");
        trusted.UpdateSnapshot(Metadata($"{trusted.Timestamp!.Snapshot.Version}.snapshot.json")!, "snapshot");
        var targets = trusted.UpdateTargets(Metadata($"{trusted.Snapshot!.Files["targets.json"].Version}.targets.json")!, "targets");
        var paths = new List<string>();
        foreach (var role in targets.Delegations)
            paths.AddRange(trusted.UpdateDelegated(Metadata($"{trusted.Snapshot.Files[role.FileName].Version}.{role.FileName}")!, role.FileName, targets, role).Targets.Keys);
        return string.Join(' ', paths.Order(StringComparer.Ordinal));
    }

    /// <summary>Makes a change with a crash before each step in turn, from the same state each time.</summary>
    private void CrashEverywhere(Action<TufRepositoryWriter> change, string old, string changed, bool readable = true)
    {
        Copy(Repository, Path.Combine(_folder.FullName, "start"));
        TrustedMetadata? device = null;
        if (old.Length > 0) Assert.Equal(old, Read(null, out device));
        var steps = 0;
        for (var crashAt = 1; ; crashAt++)
        {
            if (Directory.Exists(Repository)) Directory.Delete(Repository, recursive: true);
            Copy(Path.Combine(_folder.FullName, "start"), Repository);
            steps = 0;
            var crashed = false;
            try
            {
                using var writer = Open(step => Step(step, crashAt, ref steps));
                change(writer);
                writer.Commit();
            }
            catch (PowerCut)
            {
                crashed = true;
            }
            if (Metadata("timestamp.json") is not null && readable) Assert.Contains(Read(device, out _), (string[])[old, changed]);
            using (var writer = Open())
            {
                change(writer);
                writer.Commit();
            }
            Assert.Equal(changed, Read(device, out _));
            Assert.Equal(changed, Read(null, out _));
            Assert.Empty(Directory.GetFiles(Path.Combine(Repository, "metadata"), ".*.tmp"));
            if (!crashed) break;
        }
        Assert.True(steps >= 6, $"only {steps} steps");
    }

    private void Step(string step, int crashAt, ref int steps)
    {
        if (++steps != crashAt) return;
        if (step.StartsWith("rename ", StringComparison.Ordinal))
        {
            using var temporary = File.OpenWrite(Path.Combine(Repository, "metadata", $".{step[7..]}.tmp"));
            temporary.SetLength(temporary.Length / 2);
        }
        throw new PowerCut();
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(Path.Combine(to, "metadata"));
        if (!Directory.Exists(Path.Combine(from, "metadata"))) return;
        foreach (var file in Directory.GetFiles(Path.Combine(from, "metadata"))) File.Copy(file, Path.Combine(to, "metadata", Path.GetFileName(file)));
    }

    private void Publish(string path)
    {
        using var writer = Open();
        writer.SetTarget(path.Split('/')[0], Target(path));
        writer.Commit();
    }

    [Fact]
    public void TheFirstPublish() => CrashEverywhere(writer => writer.SetTarget("stable", Target("stable/a")), "", "stable/a");

    [Fact]
    public void APublishToAChannel()
    {
        Publish("stable/a");
        CrashEverywhere(writer => writer.SetTarget("stable", Target("stable/b")), "stable/a", "stable/a stable/b");
    }

    [Fact]
    public void ANewChannel()
    {
        Publish("stable/a");
        CrashEverywhere(writer => writer.SetTarget("beta", Target("beta/b")), "stable/a", "beta/b stable/a");
    }

    [Theory]
    [InlineData("root")]
    [InlineData("timestamp")]
    [InlineData("snapshot")]
    [InlineData("targets")]
    [InlineData("stable")]
    public void ARotation_IsSafeForReaders(string role)
    {
        Publish("stable/a");
        var replacement = _keys.Add(role);
        CrashEverywhere(writer =>
        {
            writer.ReplaceKeys(role, [replacement.Key], 1);
            writer.SetTarget("stable", Target("stable/b"));
        }, "stable/a", "stable/a stable/b");
    }

    [Theory]
    [InlineData("timestamp")]
    [InlineData("snapshot")]
    [InlineData("targets")]
    public void ARotation_WithoutTheLostOldKey_CanBeMadeAgain(string role)
    {
        Publish("stable/a");
        _keys.Roles[role].Clear();
        var replacement = _keys.Add(role);
        // Readers are refused between the new root and the new timestamp: nothing the old key would sign can be made.
        CrashEverywhere(writer => writer.ReplaceKeys(role, [replacement.Key], 1), "stable/a", "stable/a", readable: false);
    }
}
