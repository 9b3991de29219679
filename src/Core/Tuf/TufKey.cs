using System.Security.Cryptography;
using System.Text.Json;

namespace Appliance.Core.Tuf;

/// <summary>
/// A public key of the metadata. Keys of a type or scheme not known here are kept, as the specification wants, and verify nothing.
/// </summary>
public sealed class TufKey
{
    private const string P256 = "1.2.840.10045.3.1.7";
    private const string EcdsaScheme = "ecdsa-sha2-nistp256", RsaScheme = "rsassa-pss-sha256";

    private TufKey(string id, string keyType, string scheme, string? publicKey, JsonElement json) =>
        (Id, KeyType, Scheme, Public, Json) = (id, keyType, scheme, publicKey, json);

    /// <summary>SHA-256 of the key's canonical JSON, 64 lower-case hex digits.</summary>
    public string Id { get; }

    /// <summary>E.g. <c>ecdsa</c>.</summary>
    public string KeyType { get; }

    /// <summary>E.g. <c>ecdsa-sha2-nistp256</c>.</summary>
    public string Scheme { get; }

    /// <summary>The public value (PEM for the schemes known here), or null when it is not a string.</summary>
    public string? Public { get; }

    /// <summary>True when signatures of this type and scheme can be verified here.</summary>
    public bool IsKnown => (KeyType, Scheme) is ("ecdsa" or EcdsaScheme, EcdsaScheme) or ("rsa", RsaScheme) && Public is not null;

    /// <summary>The key as the metadata has it, members not known here included.</summary>
    internal JsonElement Json { get; }

    /// <summary>The metadata form of a P-256 public key.</summary>
    public static TufKey From(ECDsa key)
    {
        // securesystemslib writes PEM with a line end at its end; the id depends on it.
        var pem = key.ExportSubjectPublicKeyInfoPem() + "\n";
        var json = SignedDocument.ToElement(new() { ["keytype"] = "ecdsa", ["scheme"] = EcdsaScheme, ["keyval"] = new System.Text.Json.Nodes.JsonObject { ["public"] = pem } });
        return new TufKey(IdOf(json), "ecdsa", EcdsaScheme, pem, json);
    }

    internal static TufKey Parse(string id, MetadataFields fields)
    {
        var value = fields.Object("keyval").Json;
        var publicKey = value.TryGetProperty("public", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
        var key = new TufKey(IdOf(fields.Json), fields.Text("keytype"), fields.Text("scheme"), publicKey, fields.Json);
        // 4.3: "Clients MUST calculate each KEYID to verify this is correct for the associated key".
        return key.Id == id ? key : throw fields.Error($"the key with the id {(id.Length <= 64 ? id : id[..64])} is another key than its id says");
    }

    internal static Dictionary<string, TufKey> ParseAll(MetadataFields fields)
    {
        var keys = new Dictionary<string, TufKey>(StringComparer.Ordinal);
        foreach (var (id, key) in fields.Objects("keys")) keys.Add(id, Parse(id, key));
        return keys;
    }

    /// <summary>
    /// The key's material (DER SubjectPublicKeyInfo in hex) when <paramref name="signature"/> is its signature of
    /// <paramref name="data"/>, else null; also null for a key that is not known, malformed or too weak.
    /// </summary>
    internal string? Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (!IsKnown) return null;
        try
        {
            return KeyType == "rsa" ? VerifyRsa(data, signature) : VerifyEcdsa(data, signature);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException or PlatformNotSupportedException)
        {
            return null; // a malformed key or signature is no signature
        }
    }

    private string? VerifyEcdsa(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(Decode(), out _);
        if (key.ExportParameters(false).Curve is not { IsNamed: true, Oid.Value: P256 }) return null;
        return key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
            ? Convert.ToHexStringLower(key.ExportSubjectPublicKeyInfo())
            : null;
    }

    private string? VerifyRsa(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        using var key = RSA.Create();
        key.ImportSubjectPublicKeyInfo(Decode(), out _);
        // 4.2: "All RSA keys MUST be at least 2048 bits"; the upper bound keeps verification cheap.
        if (key.KeySize is < 2048 or > 8192) return null;
        return key.VerifyData(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pss)
            ? Convert.ToHexStringLower(key.ExportSubjectPublicKeyInfo())
            : null;
    }

    private byte[] Decode()
    {
        var fields = PemEncoding.Find(Public);
        return Public.AsSpan()[fields.Label] is "PUBLIC KEY"
            ? Convert.FromBase64String(Public![fields.Base64Data])
            : throw new FormatException("The PEM is not a public key.");
    }

    private static string IdOf(JsonElement json) => Convert.ToHexStringLower(SHA256.HashData(CanonicalJson.Encode(json)));
}
