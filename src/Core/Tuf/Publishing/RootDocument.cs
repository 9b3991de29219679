using System.Text.Json.Nodes;

namespace Appliance.Core.Tuf.Publishing;

/// <summary>Makes and edits root metadata.</summary>
public static class RootDocument
{
    /// <summary>Version 1 of a root with consistent snapshots, signed by all its root keys.</summary>
    /// <param name="roles">For each top-level role its threshold; its keys are all the signers' of that role.</param>
    /// <param name="signers">The keys.</param>
    /// <param name="now">The time of signing.</param>
    /// <param name="lifetime">How long it counts.</param>
    /// <exception cref="UserError">A role has fewer keys than its threshold.</exception>
    public static byte[] CreateFirst(IReadOnlyDictionary<string, int> roles, ISignerSource signers, DateTimeOffset now, TimeSpan lifetime)
    {
        var root = SignedDocument.Start(TufRole.Root);
        root["consistent_snapshot"] = true;
        root["keys"] = new JsonObject();
        root["roles"] = new JsonObject();
        foreach (var role in TufRole.TopLevel) SetRole(root, role, [.. signers.SignersFor(role).Select(signer => signer.Key)], roles[role]);
        SignedDocument.Stamp(root, 1, now + lifetime);
        var bytes = SignedDocument.Seal(root, signers.SignersFor(TufRole.Root));
        _ = new TrustedMetadata(bytes, "the new root metadata", null);
        return bytes;
    }

    /// <summary>Names the keys of a role, and drops keys that no role names any longer.</summary>
    internal static void SetRole(JsonObject root, string role, IReadOnlyList<TufKey> keys, int threshold)
    {
        RequireThreshold(role, keys, threshold);
        var (all, roles) = (root["keys"]!.AsObject(), root["roles"]!.AsObject());
        foreach (var key in keys) all[key.Id] = SignedDocument.Key(key);
        roles[role] = new JsonObject { ["keyids"] = Ids(keys), ["threshold"] = threshold };
        var named = roles.SelectMany(entry => entry.Value!["keyids"]!.AsArray()).Select(id => id!.GetValue<string>()).ToHashSet(StringComparer.Ordinal);
        foreach (var id in all.Select(key => key.Key).Where(id => !named.Contains(id)).ToList()) all.Remove(id);
    }

    internal static void RequireThreshold(string role, IReadOnlyList<TufKey> keys, int threshold)
    {
        if (threshold < 1 || threshold > keys.Count)
            throw new UserError($"Role {role} has {keys.Count} keys; {threshold} of them cannot be required.", "Give a threshold from 1 to the number of keys.");
    }

    internal static JsonArray Ids(IReadOnlyList<TufKey> keys) => [.. keys.Select(key => (JsonNode)JsonValue.Create(key.Id)).ToArray()];
}
