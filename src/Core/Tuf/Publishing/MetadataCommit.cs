using System.Text.Json.Nodes;

namespace Appliance.Core.Tuf.Publishing;

/// <summary>One commit: every file is signed in memory first, then they are written in the order that keeps readers safe.</summary>
/// <param name="folder">Where they are written.</param>
/// <param name="published">What is there.</param>
/// <param name="signing">Signs.</param>
/// <param name="lifetimes">How long new metadata counts.</param>
/// <param name="now">When.</param>
/// <param name="floors">Versions by role that are taken already where the commit is published, if that is elsewhere.</param>
internal sealed class MetadataCommit(MetadataFolder folder, PublishedMetadata published, RoleSigning signing, TufLifetimes lifetimes, DateTimeOffset now, IReadOnlyDictionary<string, long>? floors = null)
{
    private readonly List<(string Name, byte[] Bytes)> _numbered = [];
    private readonly Dictionary<string, byte[]> _edited = new(StringComparer.Ordinal);
    private byte[]? _timestamp;
    private (string Name, byte[] Bytes)? _root;
    private RootMetadata _nextRoot = published.Root;
    private bool _rootFirst;

    /// <summary>Signs the edited parts alone, for somebody else to publish.</summary>
    /// <returns>The files by role.</returns>
    public IReadOnlyDictionary<string, byte[]> SignEdits(IReadOnlyDictionary<string, JsonObject> edits)
    {
        SignEdits(edits, new AdoptedMetadata(published), []);
        if (_root is { } root) _edited[TufRole.Root] = root.Bytes;
        return _edited;
    }

    /// <summary>Signs everything.</summary>
    /// <param name="edits">The edited signed parts by role: root, targets, channels.</param>
    /// <param name="adopted">What others have signed.</param>
    /// <param name="resign">Snapshot and timestamp when they are to be signed anew even if nothing else changed.</param>
    public void Sign(IReadOnlyDictionary<string, JsonObject> edits, AdoptedMetadata adopted, IReadOnlySet<string> resign)
    {
        var meta = published.Current?.Snapshot is { } snapshot ? SignedDocument.Edit(snapshot)["meta"]!.AsObject() : [];
        SignEdits(edits, adopted, meta);
        var changed = edits.Keys.Any(role => role != TufRole.Root) || adopted.Targets.Count > 0;
        var listed = published.Current is { } current ? SignedDocument.Edit(current.Timestamp!)["meta"]!.AsObject() : [];
        if (changed || resign.Contains(TufRole.Snapshot))
        {
            var next = SignedDocument.Start(TufRole.Snapshot);
            next["meta"] = meta.DeepClone();
            SignListed(TufRole.Snapshot, next, TopLevelQuorums(TufRole.Snapshot), listed);
        }
        if (changed || resign.Count > 0) SignTimestamp(listed);
        if (!adopted.IsEmpty) RequireReadable();
    }

    /// <summary>What others have signed may not fit to the rest. Readers who have the old root, and those who have the new one, must accept all of it.</summary>
    private void RequireReadable()
    {
        var timestamp = _timestamp ?? folder.Read("timestamp.json", TufLimits.Timestamp);
        foreach (var root in _rootFirst ? [_nextRoot] : new[] { published.Root, _nextRoot }.Distinct())
            PublishedMetadata.ReadRest((name, limit) => _numbered.Find(file => file.Name == name).Bytes ?? folder.Read(name, limit), root, timestamp);
    }

    /// <summary>Writes everything.</summary>
    public void Write()
    {
        foreach (var (name, bytes) in _numbered) folder.WriteOnce(name, bytes);
        // Last of all the root: what it makes the new keys sign is in place and signed by old and new keys, so that readers
        // before and after it accept it. Only when the old keys are lost must it come first.
        if (_rootFirst) WriteRoot();
        if (_timestamp is not null) folder.Replace("timestamp.json", _timestamp);
        if (!_rootFirst) WriteRoot();
    }

    private void SignEdits(IReadOnlyDictionary<string, JsonObject> edits, AdoptedMetadata adopted, JsonObject meta)
    {
        // In a new repository the publisher's root is its first file.
        if (published.Current is null) _numbered.Add(($"{published.Root.Version}.root.json", published.Root.Envelope.Bytes.ToArray()));
        if (edits.TryGetValue(TufRole.Root, out var root)) SignRoot(root);
        else if (adopted.Root is { } next)
        {
            _nextRoot = next;
            _root = ($"{next.Version}.root.json", next.Envelope.Bytes.ToArray());
        }
        var targets = published.Current?.Targets;
        if (edits.TryGetValue(TufRole.Targets, out var edit))
            targets = TargetsMetadata.Parse(_edited[TufRole.Targets] = SignListed(TufRole.Targets, edit, TopLevelQuorums(TufRole.Targets), meta), "the new targets metadata");
        foreach (var (role, signed) in adopted.Targets)
        {
            if (role == TufRole.Targets) targets = signed;
            List(role, signed.Version, signed.Envelope.Bytes.ToArray(), meta);
        }
        foreach (var (channel, signed) in edits.Where(edit => !TufRole.TopLevel.Contains(edit.Key)))
        {
            var role = targets!.Delegations.Single(role => role.Name == channel).Role;
            _edited[channel] = SignListed(channel, signed, [new(role, targets.DelegationKeys)], meta);
        }
    }

    private void WriteRoot()
    {
        if (_root is { } root) folder.WriteOnce(root.Name, root.Bytes);
    }

    private void SignRoot(JsonObject signed)
    {
        var version = published.Root.Version + 1; // 5.3.5: exactly the next, so no version is skipped here
        SignedDocument.Stamp(signed, version, now + lifetimes.Root);
        // 6.1: signed by a threshold of the old keys and a threshold of the new. Parsing needs no signatures yet.
        var draft = RootMetadata.Parse(SignedDocument.Seal(signed, []), "the new root metadata");
        var bytes = signing.Sign(TufRole.Root, signed, [RoleSigning.Quorum.Of(published.Root, TufRole.Root), RoleSigning.Quorum.Of(draft, TufRole.Root)]);
        _nextRoot = draft;
        _root = ($"{version}.root.json", bytes);
    }

    private List<RoleSigning.Quorum> TopLevelQuorums(string role)
    {
        var (before, after) = (RoleSigning.Quorum.Of(published.Root, role), RoleSigning.Quorum.Of(_nextRoot, role));
        if (_root is null) return [after];
        if (signing.CanSign(role, before)) return [before, after];
        _rootFirst = true;
        return [after];
    }

    /// <summary>Signs a file named after its version, and lists it in <paramref name="meta"/>.</summary>
    private byte[] SignListed(string role, JsonObject signed, IReadOnlyList<RoleSigning.Quorum> quorums, JsonObject meta)
    {
        var name = $"{role}.json";
        var listed = meta[name]?["version"]?.GetValue<long>() ?? 0;
        // A writer that was killed may have left versions that nothing refers to; they are passed over.
        var version = checked(Math.Max(Math.Max(listed, folder.HighestVersion(role)), floors?.GetValueOrDefault(role) ?? 0) + 1);
        var bytes = signing.Sign(role, SignedDocument.Stamp(signed, version, now + lifetimes.Of(role)), quorums);
        List(role, version, bytes, meta);
        return bytes;
    }

    private void List(string role, long version, byte[] bytes, JsonObject meta)
    {
        _numbered.Add(($"{version}.{role}.json", bytes));
        meta[$"{role}.json"] = new JsonObject { ["version"] = version, ["length"] = bytes.Length, ["hashes"] = new JsonObject { ["sha256"] = FileHashes.Of(bytes).Sha256 } };
    }

    private void SignTimestamp(JsonObject listed)
    {
        var next = SignedDocument.Start(TufRole.Timestamp);
        next["meta"] = listed.DeepClone();
        SignedDocument.Stamp(next, (published.Current?.Timestamp?.Version ?? 0) + 1, now + lifetimes.Timestamp);
        _timestamp = signing.Sign(TufRole.Timestamp, next, TopLevelQuorums(TufRole.Timestamp));
    }
}
