namespace Appliance.Core.Tuf;

/// <summary>
/// The trusted metadata of a repository, and every check that new metadata must pass to become part of it (TUF 1.0, section
/// 5). It reads and writes no files: the device's client and the publisher bring the bytes. After an error nothing has changed.
/// </summary>
public sealed class TrustedMetadata
{
    private readonly UpdateTime? _time;
    private readonly Dictionary<string, TargetsMetadata> _targets = new(StringComparer.Ordinal);

    /// <summary>Starts from a root that is trusted by other means (5.2). Its expiry does not matter yet.</summary>
    /// <param name="root">Root metadata; it must be signed by its own keys.</param>
    /// <param name="where">Its name, for errors.</param>
    /// <param name="time">The update start time, or null to ignore expiry, as a publisher who is about to renew must.</param>
    /// <exception cref="UserError">The root is malformed or not signed by its own keys.</exception>
    public TrustedMetadata(ReadOnlyMemory<byte> root, string where, UpdateTime? time)
    {
        _time = time;
        Root = RootMetadata.Parse(root, where);
        RequireSigned(Root.Envelope, TufRole.Root, Root);
    }

    /// <summary>The trusted root.</summary>
    public RootMetadata Root { get; private set; }

    /// <summary>The trusted timestamp, if any yet.</summary>
    public TimestampMetadata? Timestamp { get; private set; }

    /// <summary>The trusted snapshot, if any yet.</summary>
    public SnapshotMetadata? Snapshot { get; private set; }

    /// <summary>The trusted top-level targets, if any yet.</summary>
    public TargetsMetadata? Targets => _targets.GetValueOrDefault(TufRole.Targets);

    /// <summary>The trusted metadata of the top-level targets role or of one that it delegates to itself, or null.</summary>
    public TargetsMetadata? TargetsOf(string role) => _targets.GetValueOrDefault(role);

    /// <summary>
    /// Checks the next root (5.3.4, 5.3.5) without trusting it yet, so that the caller can act before it does. Null: it is of the
    /// version that is trusted already, which stays.
    /// </summary>
    public RootMetadata? CheckNextRoot(ReadOnlyMemory<byte> bytes, string where)
    {
        var next = RootMetadata.Parse(bytes, where);
        // 5.3.4 Arbitrary software: signed by a threshold of the trusted root's keys, then of its own.
        RequireSigned(next.Envelope, TufRole.Root, Root);
        RequireSigned(next.Envelope, TufRole.Root, next);
        // 5.3.5 Rollback: exactly the next version; the same one is discarded, and the update goes on.
        if (next.Version == Root.Version) return null;
        return next.Version == Root.Version + 1
            ? next
            : throw MetadataError.Refused(where, $"it is version {next.Version} of the root, and only version {Root.Version + 1} may follow the trusted version {Root.Version}");
    }

    /// <summary>Trusts a root that <see cref="CheckNextRoot"/> returned (5.3.7), dropping what its key changes distrust.</summary>
    public void TrustRoot(RootMetadata next)
    {
        // 5.3.11 Fast-forward recovery.
        if (RotatesOnlineKeys(Root, next)) (Timestamp, Snapshot) = (null, null);
        _targets.Clear();
        Root = next;
    }

    /// <summary>
    /// True when the keys of the timestamp or snapshot role differ (5.3.11): what was trusted of them is then deleted, so that
    /// version numbers that a thief of the old keys drove up do not lock the repository out for ever.
    /// </summary>
    public static bool RotatesOnlineKeys(RootMetadata from, RootMetadata to) =>
        Differs(from, to, TufRole.Timestamp) || Differs(from, to, TufRole.Snapshot);

    /// <summary>Ends the chain of roots (5.3.10): the one it led to must not have expired.</summary>
    public void RequireUnexpiredRoot() => _time?.RequireUnexpired(Root);

    /// <summary>Takes back the timestamp an earlier update trusted; only its signatures are checked, for it serves to detect rollbacks.</summary>
    public void RestoreTimestamp(ReadOnlyMemory<byte> bytes, string where)
    {
        var timestamp = TimestampMetadata.Parse(bytes, where);
        RequireSigned(timestamp.Envelope, TufRole.Timestamp, Root);
        Timestamp = timestamp;
    }

    /// <summary>Takes a new timestamp (5.4). False: it has the version of the trusted one, which stays.</summary>
    public bool UpdateTimestamp(ReadOnlyMemory<byte> bytes, string where)
    {
        var next = TimestampMetadata.Parse(bytes, where);
        // 5.4.2 Arbitrary software.
        RequireSigned(next.Envelope, TufRole.Timestamp, Root);
        if (Timestamp is { } trusted)
        {
            // 5.4.3.1 Rollback of the timestamp.
            if (next.Version < trusted.Version) throw RolledBack(where, "timestamp", next.Version, trusted.Version);
            if (next.Version == trusted.Version) return false;
            // 5.4.3.2 Rollback of the snapshot.
            if (next.Snapshot.Version < trusted.Snapshot.Version) throw RolledBack(where, "snapshot", next.Snapshot.Version, trusted.Snapshot.Version);
        }
        // 5.4.4 Freeze.
        _time?.RequireUnexpired(next);
        Timestamp = next;
        return true;
    }

    /// <summary>Requires the trusted timestamp, which may be one that an earlier update trusted, to be unexpired (5.4.4).</summary>
    public void RequireUnexpiredTimestamp() => _time?.RequireUnexpired(RequireTimestamp());

    /// <summary>Takes back the snapshot an earlier update trusted, to detect rollbacks; see <see cref="RestoreTimestamp"/>.</summary>
    public void RestoreSnapshot(ReadOnlyMemory<byte> bytes, string where)
    {
        var snapshot = SnapshotMetadata.Parse(bytes, where);
        RequireSigned(snapshot.Envelope, TufRole.Snapshot, Root);
        Snapshot = snapshot;
    }

    /// <summary>Takes a new snapshot (5.5), or the restored one again.</summary>
    public void UpdateSnapshot(ReadOnlyMemory<byte> bytes, string where)
    {
        var listed = RequireTimestamp().Snapshot;
        // 5.5.2 Mix-and-match: what the timestamp says.
        listed.Check(bytes.Span, where, "the timestamp");
        var next = SnapshotMetadata.Parse(bytes, where);
        // 5.5.3 Arbitrary software.
        RequireSigned(next.Envelope, TufRole.Snapshot, Root);
        // 5.5.4 The version the timestamp says.
        if (next.Version != listed.Version) throw MetadataError.Refused(where, $"it is version {next.Version}, the timestamp says {listed.Version}");
        // 5.5.5 Rollback: no targets metadata older, none gone.
        foreach (var (name, trusted) in Snapshot?.Files ?? new Dictionary<string, MetadataFile>())
        {
            if (!next.Files.TryGetValue(name, out var file)) throw MetadataError.Refused(where, $"it no longer lists {name}, which was there before");
            if (file.Version < trusted.Version) throw RolledBack(where, name, file.Version, trusted.Version);
        }
        // 5.5.6 Freeze.
        _time?.RequireUnexpired(next);
        Snapshot = next;
        _targets.Clear();
    }

    /// <summary>Takes the top-level targets metadata (5.6).</summary>
    public TargetsMetadata UpdateTargets(ReadOnlyMemory<byte> bytes, string where) =>
        _targets[TufRole.Targets] = CheckTargets(bytes, where, "targets.json", TufRole.Targets, Root.Roles[TufRole.Targets], Root.Keys, $"root version {Root.Version}");

    /// <summary>Takes the metadata of a role that <paramref name="delegator"/>, itself trusted, delegates to (5.6.7).</summary>
    public TargetsMetadata UpdateDelegated(ReadOnlyMemory<byte> bytes, string where, TargetsMetadata delegator, DelegatedRole role)
    {
        var metadata = CheckTargets(bytes, where, role.FileName, role.Name, role.Role, delegator.DelegationKeys, delegator.Envelope.Where);
        // A role of the same name that another role delegates to may have other keys: it is not the one that is kept by name.
        if (ReferenceEquals(delegator, Targets)) _targets[role.Name] = metadata;
        return metadata;
    }

    private TargetsMetadata CheckTargets(ReadOnlyMemory<byte> bytes, string where, string file, string name, TufRole role, IReadOnlyDictionary<string, TufKey> keys, string by)
    {
        var snapshot = Snapshot ?? throw new InvalidOperationException("There is no trusted snapshot yet.");
        if (!snapshot.Files.TryGetValue(file, out var listed)) throw MetadataError.Refused(where, $"the snapshot does not list {file}");
        // 5.6.2 Mix-and-match: what the snapshot says.
        listed.Check(bytes.Span, where, "the snapshot");
        var next = TargetsMetadata.Parse(bytes, where);
        // 5.6.3 Arbitrary software.
        SignatureThreshold.Require(next.Envelope, name, role, keys, by);
        // 5.6.4 The version the snapshot says.
        if (next.Version != listed.Version) throw MetadataError.Refused(where, $"it is version {next.Version}, the snapshot says {listed.Version}");
        // 5.6.5 Freeze.
        _time?.RequireUnexpired(next);
        return next;
    }

    private TimestampMetadata RequireTimestamp() => Timestamp ?? throw new InvalidOperationException("There is no trusted timestamp yet.");

    private static void RequireSigned(TufEnvelope envelope, string role, RootMetadata by) =>
        SignatureThreshold.Require(envelope, role, by.Roles[role], by.Keys, $"root version {by.Version}");

    private static bool Differs(RootMetadata a, RootMetadata b, string role) => !a.Roles[role].KeyIds.ToHashSet().SetEquals(b.Roles[role].KeyIds);

    private static UserError RolledBack(string where, string what, long offered, long trusted) =>
        MetadataError.Refused(where, $"it would go back to version {offered} of {what}; version {trusted} has been seen already", "Use the newest state of the repository, or the newest bundle. If this is the newest, somebody may be offering an old one on purpose.");
}
