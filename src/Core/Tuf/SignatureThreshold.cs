namespace Appliance.Core.Tuf;

/// <summary>Whether enough keys of a role signed a file.</summary>
internal static class SignatureThreshold
{
    /// <summary>Requires signatures of a threshold of different keys.</summary>
    /// <param name="envelope">The file.</param>
    /// <param name="name">The role's name, for the error.</param>
    /// <param name="role">Its key ids and threshold.</param>
    /// <param name="keys">The keys by id.</param>
    /// <param name="by">Which metadata names the keys, for the error.</param>
    /// <exception cref="UserError">Too few.</exception>
    public static void Require(TufEnvelope envelope, string name, TufRole role, IReadOnlyDictionary<string, TufKey> keys, string by)
    {
        var valid = CountValid(envelope, role, keys);
        if (valid >= role.Threshold) return;
        var unknown = role.KeyIds.Select(keys.GetValueOrDefault).Where(key => key is { IsKnown: false }).Select(key => $"{Shorten(key!.KeyType)}/{Shorten(key.Scheme)}").Distinct().Take(4).ToList();
        if (unknown.Count > 0)
            throw MetadataError.Refused(envelope.Where, $"{valid} of the {role.Threshold} signatures needed for role {name} ({by}) could be verified, and this version cannot verify keys of the type {string.Join(", ", unknown)}", "Update this program, or let the role be signed by keys of type ecdsa/ecdsa-sha2-nistp256; nothing was taken from it.");
        throw MetadataError.Refused(envelope.Where, $"it has {valid} of the {role.Threshold} valid signatures needed for role {name} ({by})",
            valid > 0 ? null : "It is signed with other keys than those that are trusted here, or was changed on its way. Check that this is the repository you mean, and that the root.json that is trusted (updates.root of the image, --root) is its own; nothing was taken from it.");
    }

    /// <summary>How many different keys of the role signed the file; the same key under two ids counts once.</summary>
    public static int CountValid(TufEnvelope envelope, TufRole role, IReadOnlyDictionary<string, TufKey> keys)
    {
        var signers = new HashSet<string>(StringComparer.Ordinal);
        var ids = role.KeyIds.ToHashSet(StringComparer.Ordinal);
        foreach (var signature in envelope.Signatures)
        {
            if (!ids.Contains(signature.KeyId) || !keys.TryGetValue(signature.KeyId, out var key)) continue;
            if (key.Verify(envelope.Canonical.Span, signature.Value.Span) is { } material) signers.Add(material);
        }
        return signers.Count;
    }

    private static string Shorten(string text) => text.Length <= 30 ? text : text[..30] + "…";
}
