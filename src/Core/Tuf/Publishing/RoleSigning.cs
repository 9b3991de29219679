using System.Text.Json.Nodes;

namespace Appliance.Core.Tuf.Publishing;

/// <summary>Signs metadata with the keys at hand, for every set of keys that must accept it.</summary>
internal sealed class RoleSigning(ISignerSource signers)
{
    /// <summary>A set of keys that must accept a file: a role as one metadata version names it.</summary>
    public sealed record Quorum(TufRole Role, IReadOnlyDictionary<string, TufKey> Keys)
    {
        public static Quorum Of(RootMetadata root, string role) => new(root.Roles[role], root.Keys);
    }

    /// <summary>True when the keys at hand can sign for <paramref name="quorum"/>.</summary>
    public bool CanSign(string role, Quorum quorum) => Chosen(role, quorum).Count >= quorum.Role.Threshold;

    /// <summary>The signed file.</summary>
    /// <exception cref="UserError">A key that is needed is not at hand, or a signer gives wrong signatures.</exception>
    public byte[] Sign(string role, JsonObject signed, IReadOnlyList<Quorum> quorums)
    {
        foreach (var quorum in quorums.Where(quorum => !CanSign(role, quorum)))
        {
            var missing = quorum.Role.KeyIds.Except(signers.SignersFor(role).Select(signer => signer.Key.Id)).Select(id => id[..Math.Min(8, id.Length)]);
            throw new UserError($"{quorum.Role.Threshold - Chosen(role, quorum).Count} more of the keys of role {role} are needed to sign it; not at hand: {string.Join(", ", missing)}.", "Put their files into the folder of keys, then try again.");
        }
        var bytes = SignedDocument.Seal(signed, quorums.SelectMany(quorum => Chosen(role, quorum)));
        // What a token or a service returns is checked before anybody sees it.
        var envelope = TufEnvelope.Parse(bytes, $"the new {role} metadata", int.MaxValue);
        foreach (var quorum in quorums) SignatureThreshold.Require(envelope, role, quorum.Role, quorum.Keys, "as signed just now");
        return bytes;
    }

    private List<ITufSigner> Chosen(string role, Quorum quorum) => [.. signers.SignersFor(role).Where(signer => quorum.Role.KeyIds.Contains(signer.Key.Id))];
}
