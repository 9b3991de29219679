namespace Appliance.Core.Tuf.Publishing;

/// <summary>
/// What a repository's folder says, verified from the publisher's root on: a publisher must not sign on top of what somebody
/// else put there. Expiry does not matter, for renewing is what a publisher does.
/// </summary>
internal sealed class PublishedMetadata
{
    private PublishedMetadata(RootMetadata root, TrustedMetadata? current, bool signedByOlderRoot) =>
        (Root, Current, SignedByOlderRoot) = (root, current, signedByOlderRoot);

    /// <summary>The newest root.</summary>
    public RootMetadata Root { get; }

    /// <summary>All the rest, or null while there is no timestamp: nothing has been published yet.</summary>
    public TrustedMetadata? Current { get; }

    /// <summary>True when a key rotation was interrupted after its root and before the metadata signed by the new keys.</summary>
    public bool SignedByOlderRoot { get; }

    /// <summary>Reads and verifies the folder.</summary>
    /// <exception cref="UserError">It belongs to other keys, was tampered with, or lacks files.</exception>
    public static PublishedMetadata Load(MetadataFolder folder, ReadOnlyMemory<byte> trustedRoot)
    {
        var roots = ReadRoots(folder, trustedRoot);
        if (folder.TryRead("timestamp.json", TufLimits.Timestamp) is not { } timestamp) return new PublishedMetadata(roots[^1], null, false);

        UserError? refusal = null;
        foreach (var root in Enumerable.Reverse(roots))
        {
            try
            {
                return new PublishedMetadata(roots[^1], ReadRest(folder.Read, root, timestamp), root != roots[^1]);
            }
            catch (UserError e)
            {
                refusal ??= e;
            }
        }
        throw refusal!;
    }

    private static List<RootMetadata> ReadRoots(MetadataFolder folder, ReadOnlyMemory<byte> trustedRoot)
    {
        var trusted = new TrustedMetadata(trustedRoot, "root.json of the keys", null);
        var own = $"{trusted.Root.Version}.root.json";
        if (folder.TryRead(own, TufLimits.Root) is { } published ? !published.AsSpan().SequenceEqual(trustedRoot.Span) : folder.HighestVersion(TufRole.Root) > 0)
            throw new UserError($"The repository does not belong to these keys: its {MetadataFolder.Where(own)} is not the root.json of the keys.", "Name the keys that the repository was made with, or another folder for a new repository.");

        var roots = new List<RootMetadata> { trusted.Root };
        while (folder.TryRead($"{trusted.Root.Version + 1}.root.json", TufLimits.Root) is { } next)
        {
            var name = $"{trusted.Root.Version + 1}.root.json";
            trusted.TrustRoot(trusted.CheckNextRoot(next, MetadataFolder.Where(name)) ?? throw MetadataError.Damaged(MetadataFolder.Where(name), $"it is version {trusted.Root.Version}"));
            roots.Add(trusted.Root);
        }
        if (!trusted.Root.ConsistentSnapshot) throw new UserError("The root metadata says that the repository has no consistent snapshots.", "This program publishes none without them; make the keys with `appliance keys init`.");
        return roots;
    }

    /// <summary>Verifies everything below a root as a reader does.</summary>
    /// <param name="read">Reads a file of at most so many bytes.</param>
    /// <param name="root">The root.</param>
    /// <param name="timestamp">The timestamp.</param>
    /// <exception cref="UserError">A reader would refuse it.</exception>
    public static TrustedMetadata ReadRest(Func<string, int, byte[]> read, RootMetadata root, byte[] timestamp)
    {
        var trusted = new TrustedMetadata(root.Envelope.Bytes, root.Envelope.Where, null);
        trusted.UpdateTimestamp(timestamp, MetadataFolder.Where("timestamp.json"));
        var snapshot = $"{trusted.Timestamp!.Snapshot.Version}.snapshot.json";
        trusted.UpdateSnapshot(read(snapshot, TufLimits.Snapshot), MetadataFolder.Where(snapshot));
        var name = $"{trusted.Snapshot!.Files["targets.json"].Version}.targets.json";
        var targets = trusted.UpdateTargets(read(name, TufLimits.Targets), MetadataFolder.Where(name));
        foreach (var role in targets.Delegations)
        {
            if (!trusted.Snapshot.Files.TryGetValue(role.FileName, out var file)) continue;
            var delegated = $"{file.Version}.{role.FileName}";
            trusted.UpdateDelegated(read(delegated, TufLimits.Targets), MetadataFolder.Where(delegated), targets, role);
        }
        return trusted;
    }
}
