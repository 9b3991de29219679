namespace Appliance.Core.Tuf.Publishing;

/// <summary>
/// Metadata that others have signed and that is to be published: a root, the targets, channels. Each is verified as a reader does
/// it, from what is published on.
/// </summary>
internal sealed class AdoptedMetadata(PublishedMetadata published)
{
    private readonly Dictionary<string, TargetsMetadata> _targets = new(StringComparer.Ordinal);

    /// <summary>The next root; null when it stays.</summary>
    public RootMetadata? Root { get; private set; }

    /// <summary>The targets metadata by role.</summary>
    public IReadOnlyDictionary<string, TargetsMetadata> Targets => _targets;

    /// <summary>Whether there is nothing.</summary>
    public bool IsEmpty => Root is null && _targets.Count == 0;

    /// <summary>Takes a file. A root comes before the targets, and those before the channels that they delegate to.</summary>
    /// <param name="role">Its role.</param>
    /// <param name="bytes">The file.</param>
    /// <param name="now">The time, for the expiry.</param>
    /// <exception cref="UserError">It is not signed by the role's keys, no newer than what is published, or expired.</exception>
    public void Take(string role, ReadOnlyMemory<byte> bytes, DateTimeOffset now)
    {
        var where = $"the new {role} metadata";
        if (role == TufRole.Root)
        {
            var trusted = new TrustedMetadata(published.Root.Envelope.Bytes, published.Root.Envelope.Where, null);
            Root = trusted.CheckNextRoot(bytes, where) ?? throw MetadataError.Refused(where, $"version {published.Root.Version} is published already");
            if (!Root.ConsistentSnapshot) throw MetadataError.Refused(where, "it says that the repository has no consistent snapshots");
            RequireUnexpired(Root, where, now);
            return;
        }
        if (TufRole.TopLevel.Contains(role) && role != TufRole.Targets) throw MetadataError.Refused(where, "the server signs it itself");
        var metadata = TargetsMetadata.Parse(bytes, where);
        if (role == TufRole.Targets)
        {
            foreach (var root in new[] { published.Root, Root }.OfType<RootMetadata>()) SignatureThreshold.Require(metadata.Envelope, role, root.Roles[role], root.Keys, $"root version {root.Version}");
            foreach (var delegation in metadata.Delegations) ChannelName.Require(delegation.Name); // it becomes part of file names
        }
        else
        {
            var delegator = _targets.GetValueOrDefault(TufRole.Targets) ?? published.Current?.Targets;
            var delegated = delegator?.Delegations.FirstOrDefault(delegation => delegation.Name == role) ?? throw MetadataError.Refused(where, "the repository has no such channel");
            SignatureThreshold.Require(metadata.Envelope, role, delegated.Role, delegator.DelegationKeys, "the targets metadata");
            if (metadata.Targets.Keys.FirstOrDefault(path => !TargetFile.IsSafePath(path) || !delegated.Covers(path)) is { } other) throw MetadataError.Refused(where, $"the channel may not have {other}");
        }
        if (published.Current?.Snapshot?.Files.GetValueOrDefault($"{role}.json") is { } listed && metadata.Version <= listed.Version)
            throw MetadataError.Refused(where, $"it is version {metadata.Version}, and version {listed.Version} is published already", "Somebody else has published meanwhile. Publish again: it starts from what is there now.");
        RequireUnexpired(metadata, where, now);
        _targets[role] = metadata;
    }

    /// <summary>Requires a file for every channel that the new targets name.</summary>
    /// <exception cref="UserError">One is missing.</exception>
    public void RequireWhole()
    {
        foreach (var delegation in _targets.GetValueOrDefault(TufRole.Targets)?.Delegations ?? [])
            if (!_targets.ContainsKey(delegation.Name) && published.Current?.Snapshot?.Files.ContainsKey(delegation.FileName) != true)
                throw MetadataError.Refused("the new targets metadata", $"they name the channel {delegation.Name}, which has no metadata", "Send those along.");
    }

    private static void RequireUnexpired(SignedMetadata metadata, string where, DateTimeOffset now)
    {
        if (metadata.Expires <= now) throw MetadataError.Refused(where, $"it expired at {MetadataFields.FormatTime(metadata.Expires)}");
    }
}
