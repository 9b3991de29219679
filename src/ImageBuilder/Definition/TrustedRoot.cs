using System.Text;
using System.Text.Json;
using Appliance.Core;

namespace Appliance.ImageBuilder.Definition;

/// <summary>
/// Reads the TUF root that is baked into an image. Only its kind is looked at here: whether its signatures hold is for the
/// device, which must not trust the builder for it (TUF specification 5.3).
/// </summary>
internal static class TrustedRoot
{
    private const int LargestFile = 512 << 10;

    /// <summary>The file's text, byte for byte.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">Makes an error at the place that names the file.</param>
    public static string Read(string path, Func<string, UserError> error)
    {
        try
        {
            if (new FileInfo(path).Length > LargestFile) throw error($"{path} is larger than {ByteSize.Format(LargestFile)}, too large for a TUF root");
            var text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path));
            using var json = JsonDocument.Parse(text);
            if (json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("signed", out var signed) && signed.ValueKind == JsonValueKind.Object
                && signed.TryGetProperty("_type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("root")) return text;
        }
        catch (Exception e) when (e is JsonException or DecoderFallbackException)
        {
            // Not JSON: the same answer.
        }
        catch (UnauthorizedAccessException e)
        {
            throw error($"{path} cannot be read: {e.Message}");
        }
        throw error($"{path} is no TUF root; expected the root.json of a repository's metadata folder, or what `appliance keys init` made");
    }
}
