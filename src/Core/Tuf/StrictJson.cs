using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace Appliance.Core.Tuf;

/// <summary>
/// Reads JSON of which there is exactly one reading: limited in size and depth, valid UTF-8, no member twice, no comments,
/// and only whole numbers in canonical form, because canonical JSON (what is signed) knows no others.
/// </summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new()
    {
        MaxDepth = TufLimits.JsonDepth,
        AllowDuplicateProperties = false,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
    };

    /// <summary>Parses a whole file.</summary>
    /// <param name="utf8">The file.</param>
    /// <param name="where">Its name, for the error.</param>
    /// <param name="limit">Largest size in bytes.</param>
    /// <exception cref="UserError">It is larger, or is not such JSON.</exception>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8, string where, int limit)
    {
        if (utf8.Length > limit) throw MetadataError.Damaged(where, $"it has {utf8.Length} bytes, and {limit} is the most there may be");
        if (!Utf8.IsValid(utf8)) throw MetadataError.Damaged(where, "it is not UTF-8");
        try
        {
            var element = JsonElement.Parse(utf8, Options);
            Check(element, where);
            return element;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped lone surrogate, which no string can hold.
            throw MetadataError.Damaged(where, $"it is not the JSON it should be: {e.Message}", e);
        }
    }

    private static void Check(JsonElement element, string where)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    _ = member.Name;
                    Check(member.Value, where);
                }
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray()) Check(item, where);
                break;
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Number when !IsCanonicalInteger(element):
                throw MetadataError.Damaged(where, $"the number {Shorten(element.GetRawText())} is not a whole number of 64 bits");
        }
    }

    private static bool IsCanonicalInteger(JsonElement number)
    {
        var digits = JsonMarshal.GetRawUtf8Value(number);
        // JSON's grammar has already ruled out leading zeros and a plus sign; -0 it allows.
        return digits.Length <= 20 && !digits.SequenceEqual("-0"u8) && !digits.ContainsAny((byte)'.', (byte)'e', (byte)'E') && number.TryGetInt64(out _);
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
