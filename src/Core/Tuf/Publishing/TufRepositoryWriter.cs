using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core.Tuf.Keys;

namespace Appliance.Core.Tuf.Publishing;

/// <summary>
/// Changes the metadata of a repository: open it, make changes, <see cref="Commit"/>. Files named after their version are
/// written first and once; <c>timestamp.json</c>, which makes them count, is replaced last. A reader sees all of a commit or
/// nothing of it, and a commit that was interrupted anywhere is simply made again: versions that nothing refers to are skipped.
/// </summary>
public sealed class TufRepositoryWriter : IDisposable
{
    private readonly MetadataFolder _folder;
    private readonly ReadOnlyMemory<byte> _trustedRoot;
    private readonly ISignerSource _signers;
    private readonly TufLifetimes _lifetimes;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, JsonObject> _edits = new(StringComparer.Ordinal);
    private readonly HashSet<string> _resign = new(StringComparer.Ordinal);
    private PublishedMetadata _published = null!;
    private AdoptedMetadata _adopted = null!;

    private TufRepositoryWriter(MetadataFolder folder, ReadOnlyMemory<byte> trustedRoot, ISignerSource signers, TufLifetimes lifetimes, TimeProvider time)
    {
        (_folder, _trustedRoot, _signers, _lifetimes, _time) = (folder, trustedRoot, signers, lifetimes, time);
        Reload();
    }

    /// <summary>The newest root metadata, published or about to be.</summary>
    public RootMetadata Root => _published.Root;

    /// <summary>The trusted state, or null before the first commit.</summary>
    public TrustedMetadata? Current => _published.Current;

    /// <summary>The channels that are published.</summary>
    public IReadOnlyList<DelegatedRole> Channels => Current?.Targets!.Delegations ?? [];

    /// <summary>Opens a repository for writing, or a folder that becomes one; only one writer can have it.</summary>
    /// <param name="repository">The repository's folder.</param>
    /// <param name="keys">The publisher's keys and root.</param>
    /// <param name="lifetimes">How long new metadata counts; null for the defaults.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <exception cref="UserError">Another writer has it, it belongs to other keys, or it was tampered with.</exception>
    public static TufRepositoryWriter Open(string repository, KeyFolder keys, TufLifetimes? lifetimes = null, TimeProvider? time = null) =>
        Open(repository, keys.ReadRoot(), keys, lifetimes, time);

    /// <summary>Like the other overload, with the root and the signers from anywhere.</summary>
    public static TufRepositoryWriter Open(string repository, ReadOnlyMemory<byte> trustedRoot, ISignerSource signers, TufLifetimes? lifetimes = null, TimeProvider? time = null) =>
        Open(repository, trustedRoot, signers, lifetimes, time, null);

    internal static TufRepositoryWriter Open(string repository, ReadOnlyMemory<byte> trustedRoot, ISignerSource signers, TufLifetimes? lifetimes, TimeProvider? time, Action<string>? beforeStep)
    {
        var folder = new MetadataFolder(repository, beforeStep);
        try
        {
            return new TufRepositoryWriter(folder, trustedRoot, signers, lifetimes ?? new(), time ?? TimeProvider.System);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Lets the repository go; changes that were not committed are forgotten.</summary>
    public void Dispose() => _folder.Dispose();

    /// <summary>The targets that a channel has published; empty when there is no such channel.</summary>
    public IReadOnlyCollection<TargetFile> TargetsOf(string channel) => [.. Current?.TargetsOf(channel)?.Targets.Values ?? []];

    /// <summary>Adds a target to a channel, or replaces the one of that path. A new channel is made with its keys at hand.</summary>
    /// <param name="channel">The channel; the target's path is <c>CHANNEL/NAME</c>.</param>
    /// <param name="target">The target; its file is in place already.</param>
    /// <exception cref="UserError">The path or the name is not allowed, or the channel is new and has no key.</exception>
    public void SetTarget(string channel, TargetFile target)
    {
        if (!TargetFile.IsSafePath(target.Path) || !PathPattern.Matches($"{ChannelName.Require(channel)}/*", target.Path))
            throw new UserError($"'{target.Path}' cannot be a target of the channel {channel}.", $"Its path must be {channel}/NAME.");
        var entry = new JsonObject { ["length"] = target.Length, ["hashes"] = Hashes(target.Hashes) };
        if (target.Custom is { } custom) entry["custom"] = JsonNode.Parse(custom.GetRawText());
        if (!Knows(channel)) AddChannel(channel);
        var present = Peek(channel)["targets"]![target.Path] as JsonObject;
        if (present is not null && Same(present, entry)) return;
        Edit(channel)["targets"]!.AsObject()[target.Path] = entry;
    }

    /// <summary>Takes a target out of a channel; the file stays. Nothing happens when it is not there.</summary>
    public void RemoveTarget(string channel, string path)
    {
        if (Knows(channel) && Peek(channel)["targets"]!.AsObject().ContainsKey(path)) Edit(channel)["targets"]!.AsObject().Remove(path);
    }

    /// <summary>Delegates <c>CHANNEL/*</c> to the keys at hand for it, any one of which suffices.</summary>
    public void AddChannel(string channel)
    {
        var keys = _signers.SignersFor(ChannelName.Require(channel)).Select(signer => signer.Key).ToList();
        if (keys.Count == 0) throw new UserError($"There is no key for the channel {channel}.", $"Make one: appliance keys add --dir KEYS --channel {channel}");
        var targets = Edit(TufRole.Targets);
        var delegations = targets["delegations"] as JsonObject ?? new JsonObject { ["keys"] = new JsonObject(), ["roles"] = new JsonArray() };
        targets["delegations"] = delegations;
        delegations["roles"]!.AsArray().Add((JsonNode)new JsonObject
        {
            ["name"] = channel,
            ["paths"] = new JsonArray(JsonValue.Create($"{channel}/*")),
            ["terminating"] = true,
        });
        SetDelegation(targets, channel, keys, 1);
        Edit(channel);
    }

    /// <summary>Signs a role anew with a later expiry. For the timestamp, the snapshot too when less than half of its life is left and its keys are at hand.</summary>
    public void Renew(string role)
    {
        if (role is TufRole.Timestamp or TufRole.Snapshot) _resign.Add(role);
        else if (role is TufRole.Root or TufRole.Targets || Knows(role)) Edit(role);
        else throw new UserError($"The repository has no channel {role}.", $"It has: {string.Join(", ", Channels.Select(channel => channel.Name))}");
        if (role == TufRole.Timestamp && Current?.Snapshot is { } snapshot && IsDue(TufRole.Snapshot, snapshot.Expires) && CanSign(TufRole.Snapshot)) _resign.Add(TufRole.Snapshot);
    }

    /// <summary>Renews every role of whose life less than half is left and whose keys are at hand: those of root and targets are best kept elsewhere.</summary>
    public DueRoles RenewDue()
    {
        var all = new List<(string Role, DateTimeOffset Expires)> { (TufRole.Root, Root.Expires) };
        if (Current is { } current)
        {
            all.AddRange([(TufRole.Targets, current.Targets!.Expires), (TufRole.Snapshot, current.Snapshot!.Expires), (TufRole.Timestamp, current.Timestamp!.Expires)]);
            all.AddRange(Channels.Where(channel => current.TargetsOf(channel.Name) is not null).Select(channel => (channel.Name, current.TargetsOf(channel.Name)!.Expires)));
        }
        var due = all.Where(entry => IsDue(entry.Role, entry.Expires)).ToLookup(entry => CanSign(entry.Role));
        foreach (var (role, _) in due[true]) Renew(role);
        return new DueRoles([.. due[true].Select(entry => entry.Role)], [.. due[false]]);
    }

    /// <summary>Whether less than half of a role's life is left.</summary>
    private bool IsDue(string role, DateTimeOffset expires) => expires - _time.GetUtcNow() < _lifetimes.Of(role) / 2;

    private bool CanSign(string role)
    {
        var signing = new RoleSigning(_signers);
        if (TufRole.TopLevel.Contains(role)) return signing.CanSign(role, RoleSigning.Quorum.Of(Root, role));
        var targets = Current!.Targets!;
        return signing.CanSign(role, new(targets.Delegations.Single(delegation => delegation.Name == role).Role, targets.DelegationKeys));
    }

    /// <summary>
    /// Gives a role other keys. A top-level role gets them by a new root, signed by the old and the new root keys; what the
    /// role signs is signed by both until then, so that readers before and after the new root accept it.
    /// </summary>
    public void ReplaceKeys(string role, IReadOnlyList<TufKey> keys, int threshold)
    {
        if (!TufRole.TopLevel.Contains(role))
        {
            if (!Knows(role)) throw new UserError($"The repository has no channel {role}.", $"It has: {string.Join(", ", Channels.Select(channel => channel.Name))}");
            SetDelegation(Edit(TufRole.Targets), role, keys, threshold);
            Edit(role);
            return;
        }
        RootDocument.SetRole(Edit(TufRole.Root), role, keys, threshold);
        if (role == TufRole.Targets) Edit(TufRole.Targets);
        else if (role != TufRole.Root) _resign.Add(role);
    }

    /// <summary>
    /// Takes a root, targets metadata or a channel's that its own keys have signed elsewhere; <see cref="Commit"/> publishes it. So a
    /// server publishes that has the keys of snapshot and timestamp alone. A root comes first, then the targets, then channels.
    /// </summary>
    /// <exception cref="UserError">It is not signed by the role's keys, no newer than what is published, or expired; it is not taken.</exception>
    public void Adopt(string role, ReadOnlyMemory<byte> bytes)
    {
        _adopted.Take(role, bytes, _time.GetUtcNow());
        // What signs the snapshot and the timestamp from then on signs them now.
        if (role == TufRole.Root && TrustedMetadata.RotatesOnlineKeys(Root, _adopted.Root!)) _resign.UnionWith([TufRole.Snapshot, TufRole.Timestamp]);
    }

    /// <summary>The targets of a channel as they will be published.</summary>
    public IReadOnlyCollection<TargetFile> AdoptedTargetsOf(string channel) => [.. _adopted.Targets.GetValueOrDefault(channel)?.Targets.Values ?? []];

    /// <summary>The highest version that a folder has of each role, also of those that a killed writer left and nothing refers to.</summary>
    public static IReadOnlyDictionary<string, long> ReadVersions(string repository) => MetadataFolder.ReadVersions(repository);

    /// <summary>Signs the changes without publishing them, for a server that has the keys of snapshot and timestamp (<see cref="Adopt"/>).</summary>
    /// <param name="taken">Versions by role that there are at the server (<see cref="ReadVersions"/>).</param>
    /// <returns>The files by role; empty when nothing changed.</returns>
    /// <exception cref="UserError">A key is not at hand, or a passphrase is wrong.</exception>
    public IReadOnlyDictionary<string, byte[]> SignChanges(IReadOnlyDictionary<string, long> taken)
    {
        if (Current is null && !_edits.ContainsKey(TufRole.Targets)) Edit(TufRole.Targets);
        return new MetadataCommit(_folder, _published, new RoleSigning(_signers), _lifetimes, _time.GetUtcNow(), taken).SignEdits(_edits);
    }

    /// <summary>Publishes the changes. All signing comes before the first write.</summary>
    /// <returns>False when there was nothing to publish.</returns>
    /// <exception cref="UserError">A key is not at hand, or a passphrase is wrong; nothing was written.</exception>
    /// <exception cref="IOException">The disk is full or failing; readers see the old state, and the commit can be made again.</exception>
    public bool Commit()
    {
        if (Current is null && !_edits.ContainsKey(TufRole.Targets) && !_adopted.Targets.ContainsKey(TufRole.Targets)) Edit(TufRole.Targets); // a new repository may be empty
        if (_published.SignedByOlderRoot)
        {
            if (!_adopted.Targets.ContainsKey(TufRole.Targets)) Edit(TufRole.Targets);
            _resign.UnionWith([TufRole.Snapshot, TufRole.Timestamp]);
        }
        if (_edits.Count == 0 && _resign.Count == 0 && _adopted.IsEmpty) return false;
        _adopted.RequireWhole();
        if (_adopted.Root is null) RequireUnexpired(Root, TufRole.Root);
        if (Current is not null && !_adopted.Targets.ContainsKey(TufRole.Targets)) RequireUnexpired(Current.Targets!, TufRole.Targets);

        var commit = new MetadataCommit(_folder, _published, new RoleSigning(_signers), _lifetimes, _time.GetUtcNow());
        commit.Sign(_edits, _adopted, _resign);
        commit.Write();
        _edits.Clear();
        _resign.Clear();
        Reload();
        return true;
    }

    /// <summary>Devices refuse a repository whose root or targets have expired, so nothing new is put on top of such.</summary>
    private void RequireUnexpired(SignedMetadata metadata, string role)
    {
        if (metadata.Expires <= _time.GetUtcNow() && !_edits.ContainsKey(role))
            throw new UserError($"The {role} metadata of the repository expired at {MetadataFields.FormatTime(metadata.Expires)}; devices refuse it.", $"Renew it first: appliance keys renew --role {role}");
    }

    /// <summary>Reads the folder anew, where something else than this writer has changed it; what was not committed is forgotten.</summary>
    /// <exception cref="UserError">It belongs to other keys, was tampered with, or lacks files.</exception>
    public void Refresh()
    {
        _edits.Clear();
        _resign.Clear();
        Reload();
    }

    private void Reload()
    {
        _published = PublishedMetadata.Load(_folder, _trustedRoot);
        _adopted = new AdoptedMetadata(_published);
    }

    private bool Knows(string channel) => _edits.ContainsKey(channel) || Channels.Any(role => role.Name == channel);

    private JsonObject Peek(string role) => _edits.TryGetValue(role, out var edit) ? edit : Source(role);

    private JsonObject Edit(string role) => _edits.TryGetValue(role, out var edit) ? edit : _edits[role] = Source(role);

    private JsonObject Source(string role)
    {
        if (role == TufRole.Root) return SignedDocument.Edit(Root);
        if (Current?.TargetsOf(role) is { } targets) return SignedDocument.Edit(targets);
        var fresh = SignedDocument.Start(TufRole.Targets);
        fresh["targets"] = new JsonObject();
        return fresh;
    }

    private static void SetDelegation(JsonObject targets, string channel, IReadOnlyList<TufKey> keys, int threshold)
    {
        RootDocument.RequireThreshold(channel, keys, threshold);
        var delegations = targets["delegations"]!.AsObject();
        var (all, roles) = (delegations["keys"]!.AsObject(), delegations["roles"]!.AsArray());
        var role = roles.Single(entry => entry!["name"]!.GetValue<string>() == channel)!;
        role["keyids"] = RootDocument.Ids(keys);
        role["threshold"] = threshold;
        foreach (var key in keys) all[key.Id] = SignedDocument.Key(key);
        var named = roles.SelectMany(entry => entry!["keyids"]!.AsArray()).Select(id => id!.GetValue<string>()).ToHashSet(StringComparer.Ordinal);
        foreach (var id in all.Select(key => key.Key).Where(id => !named.Contains(id)).ToList()) all.Remove(id);
    }

    private static JsonObject Hashes(FileHashes hashes)
    {
        var json = new JsonObject();
        if (hashes.Sha256 is not null) json["sha256"] = hashes.Sha256;
        if (hashes.Sha512 is not null) json["sha512"] = hashes.Sha512;
        return json;
    }

    private static bool Same(JsonObject a, JsonObject b) =>
        CanonicalJson.Encode(SignedDocument.ToElement(a)).AsSpan().SequenceEqual(CanonicalJson.Encode(SignedDocument.ToElement(b)));
}
