using System.Text.Json;

namespace Appliance.Core.Bundles;

/// <summary>The format number of a JSON document. It is looked at first: a newer document may have members this program does not know.</summary>
internal static class FormatNumber
{
    private const int UsualNesting = 16;

    /// <exception cref="UserError">The document is of a newer format.</exception>
    /// <exception cref="InvalidDataException">It has no format number.</exception>
    public static void Require(ReadOnlyMemory<byte> utf8, int current, string kind, int nesting = UsualNesting)
    {
        using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = nesting });
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("format", out var format)
            || format.ValueKind != JsonValueKind.Number || !format.TryGetInt32(out var number) || number < 1)
            throw new InvalidDataException("it has no format number");
        if (number > current) throw new UserError($"This {kind} has format {number}; this program reads up to {current}.", "Update this program first.");
    }
}
