using Appliance.Core;
using Appliance.Core.Tuf;

namespace Appliance.UpdateClient.Trust;

/// <summary>
/// The client workflow of TUF 1.0 (section 5): brings the trusted metadata up to date from a repository, wherever that is (web
/// server, folder, offline bundle), and finds and fetches targets that it vouches for. The checks themselves are in
/// <see cref="TrustedMetadata"/>; here is their order, and what is read and kept. Not for use by several threads at once.
/// </summary>
public sealed class TufClient
{
    private const string RootFile = "root.json", TimestampFile = "timestamp.json", SnapshotFile = "snapshot.json", TargetsFile = "targets.json";

    private readonly IRepositorySource _source;
    private readonly TrustFolder _folder;
    private readonly ReadOnlyMemory<byte> _initialRoot;
    private readonly TufClientOptions _options;
    private TrustedMetadata? _trusted;

    /// <summary>Makes a client.</summary>
    /// <param name="source">The repository.</param>
    /// <param name="trustFolder">Where trusted metadata is kept, e.g. <c>/var/lib/appliance/trust</c>; made when it is not there.</param>
    /// <param name="initialRoot">The root metadata that is trusted because it came with the image.</param>
    /// <param name="options">What is known about the device; null for the defaults.</param>
    public TufClient(IRepositorySource source, string trustFolder, ReadOnlyMemory<byte> initialRoot, TufClientOptions? options = null)
    {
        (_source, _initialRoot, _options) = (source, initialRoot, options ?? new());
        _folder = new TrustFolder(trustFolder);
    }

    /// <summary>The metadata that <see cref="RefreshAsync"/> came to trust.</summary>
    /// <exception cref="InvalidOperationException">It has not been called, or failed.</exception>
    public TrustedMetadata Trusted => _trusted ?? throw new InvalidOperationException("RefreshAsync comes first.");

    /// <summary>Updates root, timestamp, snapshot and top-level targets (5.1 to 5.6.6).</summary>
    /// <exception cref="UserError">The repository cannot be read, or offers something that must not be trusted. What was trusted before stays.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        _trusted = null;
        // 5.1 The update start time, fixed for all that follows.
        var time = new UpdateTime(_options.Time.GetUtcNow(), _options.MinimumTime, _options.ClockSynchronised);
        // 5.2
        var trusted = LoadRoot(time);
        await UpdateRootAsync(trusted, cancellationToken);
        await UpdateTimestampAsync(trusted, cancellationToken);
        await UpdateSnapshotAsync(trusted, cancellationToken);
        // 5.6.1 to 5.6.6
        await LoadTargetsAsync(trusted, TargetsFile, trusted.UpdateTargets, cancellationToken);
        _trusted = trusted;
    }

    /// <summary>Searches the metadata of a target, the top-level targets first, then the delegations (5.6.7). Null: nobody vouches for it.</summary>
    /// <exception cref="UserError">Metadata on the way cannot be read or trusted.</exception>
    public async Task<TargetFile?> FindTargetAsync(string path, CancellationToken cancellationToken) =>
        (await SearchAsync(path, cancellationToken))?.Target;

    /// <summary>
    /// All targets of a channel, a role that the top-level targets delegate to. A target that a role with more say also
    /// names is not the channel's, just as <see cref="FindTargetAsync"/> has it.
    /// </summary>
    /// <exception cref="UserError">There is no such channel, or its metadata cannot be read or trusted.</exception>
    public async Task<IReadOnlyList<TargetFile>> ReadChannelAsync(string channel, CancellationToken cancellationToken)
    {
        var role = Trusted.Targets!.Delegations.FirstOrDefault(role => role.Name == channel)
            ?? throw new UserError($"The repository has no channel {channel}.", $"It has: {string.Join(", ", Trusted.Targets.Delegations.Select(role => role.Name).Take(20))}");
        var metadata = await LoadDelegatedAsync(Trusted.Targets, role, cancellationToken);
        var targets = new List<TargetFile>();
        foreach (var path in metadata.Targets.Keys.Order(StringComparer.Ordinal))
            if (role.Covers(path) && await SearchAsync(path, cancellationToken) is { } found && found.Role == channel) targets.Add(found.Target);
        return targets;
    }

    /// <summary>Fetches a small target whole and verifies it (5.7).</summary>
    /// <param name="target">What <see cref="FindTargetAsync"/> or <see cref="ReadChannelAsync"/> returned.</param>
    /// <param name="limit">Largest size in bytes that is accepted.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="UserError">It is missing, too large, or not the target the metadata vouches for.</exception>
    public async Task<byte[]> ReadTargetAsync(TargetFile target, int limit, CancellationToken cancellationToken)
    {
        if (!TargetFile.IsSafePath(target.Path)) throw new UserError($"The target path '{target.Path}' leads out of the repository.", "Publish it under a plain name.");
        if (target.Length > limit) throw new UserError($"The target {target.Path} has {ByteSize.Format(target.Length)}; {ByteSize.Format(limit)} is the most there may be.", "It is not a release this program can read; update this program, or publish the content as a new version.");
        var path = target.PathInRepository(Trusted.Root.ConsistentSnapshot);
        // 5.7.3: never more bytes than the metadata says.
        var bytes = await _source.TryReadAsync(path, (int)target.Length, cancellationToken) ?? throw Missing(path);
        return bytes.Length == target.Length && target.Hashes.Match(bytes)
            ? bytes
            : throw new UserError($"{path} is refused: it is not the file that the metadata vouches for.", "It was damaged or changed on its way, or in the repository; try again, then check the repository with `appliance verify`.");
    }

    /// <summary>5.2: the root of an earlier update, or that of the image when it is newer or the only one.</summary>
    private TrustedMetadata LoadRoot(UpdateTime time)
    {
        var initial = new TrustedMetadata(_initialRoot, "the root metadata of this image", time);
        var kept = TryLoadKeptRoot(time);
        if (kept is not null && kept.Root.Version >= initial.Root.Version) return kept;
        Persist(kept?.Root, initial.Root);
        return initial;
    }

    private TrustedMetadata? TryLoadKeptRoot(UpdateTime time)
    {
        if (_folder.TryRead(RootFile, TufLimits.Root) is not { } bytes) return null;
        try
        {
            return new TrustedMetadata(bytes, "the trusted root metadata", time);
        }
        catch (UserError)
        {
            return null; // a damaged disk; the image's root leads to the newest one again
        }
    }

    private async Task UpdateRootAsync(TrustedMetadata trusted, CancellationToken cancellationToken)
    {
        // 5.3.2 to 5.3.9, a bounded number of times
        for (var i = 0; i < _options.RootRotations; i++)
        {
            // 5.3.3
            var path = $"metadata/{trusted.Root.Version + 1}.root.json";
            if (await _source.TryReadAsync(path, TufLimits.Root, cancellationToken) is not { } bytes) break;
            // 5.3.4, 5.3.5
            if (trusted.CheckNextRoot(bytes, path) is not { } next) break;
            // 5.3.7, 5.3.8
            Persist(trusted.Root, next);
            trusted.TrustRoot(next);
        }
        // 5.3.10 Freeze.
        trusted.RequireUnexpiredRoot();
    }

    /// <summary>
    /// 5.3.8 and 5.3.11. The deletion comes first: after a power cut between the two, the comparison of the roots that calls for
    /// it is made again; the other way round it never would be.
    /// </summary>
    private void Persist(RootMetadata? before, RootMetadata root)
    {
        if (before is not null && TrustedMetadata.RotatesOnlineKeys(before, root)) _folder.Delete(TimestampFile, SnapshotFile);
        _folder.Write(RootFile, root.Envelope.Bytes.Span);
    }

    private async Task UpdateTimestampAsync(TrustedMetadata trusted, CancellationToken cancellationToken)
    {
        Restore(TimestampFile, TufLimits.Timestamp, trusted.RestoreTimestamp);
        // 5.4.1
        var path = $"metadata/{TimestampFile}";
        var bytes = await _source.TryReadAsync(path, TufLimits.Timestamp, cancellationToken) ?? throw Missing(path);
        // 5.4.2 to 5.4.5. The same version as before: nothing is new, and the trusted files serve on if they have not expired.
        if (trusted.UpdateTimestamp(bytes, path)) _folder.Write(TimestampFile, bytes);
        trusted.RequireUnexpiredTimestamp();
    }

    private async Task UpdateSnapshotAsync(TrustedMetadata trusted, CancellationToken cancellationToken)
    {
        var kept = Restore(SnapshotFile, TufLimits.Snapshot, trusted.RestoreSnapshot);
        if (kept is not null && TryUse(() => trusted.UpdateSnapshot(kept, "the trusted snapshot metadata"))) return;
        // 5.5.1
        var listed = trusted.Timestamp!.Snapshot;
        var path = MetadataPath(trusted, SnapshotFile, listed);
        var bytes = await _source.TryReadAsync(path, listed.ReadLimit(TufLimits.Snapshot), cancellationToken) ?? throw Missing(path);
        // 5.5.2 to 5.5.6
        trusted.UpdateSnapshot(bytes, path);
        // 5.5.7
        _folder.Write(SnapshotFile, bytes);
    }

    private Task<TargetsMetadata> LoadDelegatedAsync(TargetsMetadata delegator, DelegatedRole role, CancellationToken cancellationToken) =>
        Trusted.TargetsOf(role.Name) is { } loaded && ReferenceEquals(delegator, Trusted.Targets)
            ? Task.FromResult(loaded)
            : LoadTargetsAsync(Trusted, role.FileName, (bytes, where) => Trusted.UpdateDelegated(bytes, where, delegator, role), cancellationToken);

    private async Task<TargetsMetadata> LoadTargetsAsync(TrustedMetadata trusted, string name, Func<ReadOnlyMemory<byte>, string, TargetsMetadata> update, CancellationToken cancellationToken)
    {
        // A kept file that is the one the snapshot lists passes the same checks as a new one, and saves the download.
        TargetsMetadata? metadata = null;
        var file = Uri.EscapeDataString(name);
        if (_folder.TryRead(file, TufLimits.Targets) is { } kept && TryUse(() => metadata = update(kept, $"the trusted {name}"))) return metadata!;
        // 5.6.1
        if (!trusted.Snapshot!.Files.TryGetValue(name, out var listed)) throw new UserError($"The repository's snapshot does not list {name}.", "Publish to the repository again.");
        var path = MetadataPath(trusted, file, listed);
        var bytes = await _source.TryReadAsync(path, listed.ReadLimit(TufLimits.Targets), cancellationToken) ?? throw Missing(path);
        // 5.6.2 to 5.6.5
        metadata = update(bytes, path);
        // 5.6.6
        _folder.Write(file, bytes);
        return metadata;
    }

    private async Task<(TargetFile Target, string Role)?> SearchAsync(string path, CancellationToken cancellationToken)
    {
        var visited = new HashSet<string>(StringComparer.Ordinal);
        var toVisit = new Stack<(DelegatedRole? Role, TargetsMetadata? Delegator)>([(null, null)]);
        // 5.6.7.1: no role twice, and no more roles than a limit
        while (visited.Count < _options.VisitedRoles && toVisit.TryPop(out var next))
        {
            var name = next.Role?.Name ?? TufRole.Targets;
            if (!visited.Add(name)) continue;
            var metadata = next.Role is null ? Trusted.Targets! : await LoadDelegatedAsync(next.Delegator!, next.Role, cancellationToken);
            if (metadata.Targets.TryGetValue(path, out var target)) return (target, name);
            // 5.6.7.2: in order of appearance, so pushed in reverse; a terminating one leaves nothing else to ask.
            var covering = new List<DelegatedRole>();
            foreach (var role in metadata.Delegations.Where(role => role.Covers(path)))
            {
                covering.Add(role);
                if (!role.Terminating) continue;
                toVisit.Clear();
                break;
            }
            foreach (var role in Enumerable.Reverse(covering)) toVisit.Push((role, metadata));
        }
        return null;
    }

    /// <summary>Takes back a kept file; one that no longer verifies, e.g. after its key was replaced, is as good as none.</summary>
    private byte[]? Restore(string name, int limit, Action<ReadOnlyMemory<byte>, string> restore) =>
        _folder.TryRead(name, limit) is { } kept && TryUse(() => restore(kept, $"the trusted {name}")) ? kept : null;

    private static bool TryUse(Action use)
    {
        try
        {
            use();
            return true;
        }
        catch (UserError)
        {
            return false; // the new file, which is read then, is judged by the same checks and its error shown
        }
    }

    /// <summary>6.2: with consistent snapshots the file's name starts with its version.</summary>
    private static string MetadataPath(TrustedMetadata trusted, string name, MetadataFile listed) =>
        trusted.Root.ConsistentSnapshot ? $"metadata/{listed.Version}.{name}" : $"metadata/{name}";

    private static UserError Missing(string path) =>
        new($"The repository has no {path}.", "Check the address of the repository. If it is right, the repository is incomplete: restore it from a backup or a mirror.");
}
