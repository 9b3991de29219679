using System.Text.Json;

namespace Appliance.Core.Tuf;

/// <summary>A metadata file: what is signed, and its signatures. Parsing it checks the form, not the signatures.</summary>
public sealed class TufEnvelope
{
    private TufEnvelope(string where, ReadOnlyMemory<byte> bytes, JsonElement signed, List<TufSignature> signatures) =>
        (Where, Bytes, Signed, Signatures, Canonical) = (where, bytes, signed, signatures, CanonicalJson.Encode(signed));

    /// <summary>The file's name, for errors.</summary>
    public string Where { get; }

    /// <summary>The file, byte for byte.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The signatures, one a key id.</summary>
    public IReadOnlyList<TufSignature> Signatures { get; }

    /// <summary>The signed part.</summary>
    internal JsonElement Signed { get; }

    /// <summary>The bytes the signatures are over: the canonical JSON of <see cref="Signed"/>.</summary>
    internal ReadOnlyMemory<byte> Canonical { get; }

    internal static TufEnvelope Parse(ReadOnlyMemory<byte> bytes, string where, int limit)
    {
        var fields = new MetadataFields(StrictJson.Parse(bytes.Span, where, limit), where);
        var signatures = new List<TufSignature>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var item in fields.ObjectItems("signatures"))
        {
            var id = item.Text("keyid");
            // 4.2: "multiple signatures with the same keyid are not allowed"
            if (!seen.Add(id)) throw fields.Error($"it has two signatures of the key {(id.Length <= 64 ? id : id[..64])}");
            signatures.Add(new TufSignature(id, Hex(item)));
        }
        return new TufEnvelope(where, bytes, fields.Object("signed").Json, signatures);
    }

    private static byte[] Hex(MetadataFields item)
    {
        try
        {
            return Convert.FromHexString(item.Text("sig"));
        }
        catch (FormatException)
        {
            throw item.MemberError("sig", "is not hexadecimal");
        }
    }
}
