using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Core.Tuf;

/// <summary>Metadata being written: a JSON object, so that members not known here survive an edit (section 4).</summary>
internal static class SignedDocument
{
    private const string SpecVersion = "1.0.33";

    // Keys in PEM are full of '+', which the default encoder would escape.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A new signed part.</summary>
    public static JsonObject Start(string type) => new() { ["_type"] = type, ["spec_version"] = SpecVersion };

    /// <summary>The signed part of a file, to be edited.</summary>
    public static JsonObject Edit(SignedMetadata metadata) => (JsonObject)JsonNode.Parse(metadata.Envelope.Signed.GetRawText())!;

    /// <summary>Sets version and expiry.</summary>
    public static JsonObject Stamp(JsonObject signed, long version, DateTimeOffset expires)
    {
        signed["version"] = version;
        signed["expires"] = MetadataFields.FormatTime(expires);
        return signed;
    }

    /// <summary>The file: the signed part with the signatures of <paramref name="signers"/>.</summary>
    public static byte[] Seal(JsonObject signed, IEnumerable<ITufSigner> signers)
    {
        var canonical = CanonicalJson.Encode(ToElement(signed));
        var signatures = new JsonArray();
        foreach (var signer in signers.DistinctBy(signer => signer.Key.Id))
            signatures.Add((JsonNode)new JsonObject { ["keyid"] = signer.Key.Id, ["sig"] = Convert.ToHexStringLower(signer.Sign(canonical)) });
        return ToBytes(new JsonObject { ["signatures"] = signatures, ["signed"] = signed.DeepClone() });
    }

    public static JsonObject Key(TufKey key) => (JsonObject)JsonNode.Parse(key.Json.GetRawText())!;

    public static JsonElement ToElement(JsonObject value) => StrictJson.Parse(ToBytes(value), "the new metadata", int.MaxValue);

    private static byte[] ToBytes(JsonObject value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Plain)) value.WriteTo(writer);
        return buffer.WrittenSpan.ToArray();
    }
}
