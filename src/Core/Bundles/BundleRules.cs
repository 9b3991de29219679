using System.Buffers;

namespace Appliance.Core.Bundles;

/// <summary>What names, hashes and versions look like; everything that reads them from outside asks here first.</summary>
public static class BundleRules
{
    /// <summary>How the name of a bundle's file ends.</summary>
    public const string Extension = ".bundle";

    private const int LongestName = 80, LongestIdentifier = 64;
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    private static readonly SearchValues<char> VersionCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~^+");
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>A file name without surprises: letters, digits, dots, dashes and underscores, no dot at the front, at most 80.</summary>
    public static bool IsName(string? text) => text is { Length: > 0 and <= LongestName } && text[0] != '.' && !text.AsSpan().ContainsAnyExcept(NameCharacters);

    /// <summary>An image id, a board, an architecture or a channel: a name of at most 64 characters.</summary>
    public static bool IsIdentifier(string? text) => IsName(text) && text!.Length <= LongestIdentifier;

    /// <summary>A version: letters, digits, dots, dashes, underscores, ~, ^ and +, at most 64, a letter or digit first.</summary>
    public static bool IsVersion(string? text) =>
        text is { Length: > 0 and <= LongestIdentifier } && char.IsAsciiLetterOrDigit(text[0]) && !text.AsSpan().ContainsAnyExcept(VersionCharacters);

    /// <summary>A SHA-256 as 64 lower-case hex digits.</summary>
    public static bool IsSha256(string? text) => text is { Length: 64 } && !text.AsSpan().ContainsAnyExcept(HexDigits);

    /// <summary>Lower-case hex of whole bytes, at most this many.</summary>
    public static bool IsHex(string? text, int longest) => text is not null && text.Length <= 2 * longest && text.Length % 2 == 0 && !text.AsSpan().ContainsAnyExcept(HexDigits);

    /// <summary>What is wrong with a header, or null.</summary>
    public static string? Fault(BundleHeader header) =>
        !IsIdentifier(header.Id) ? "its image id is not one"
        : !IsVersion(header.Version) ? "its version is not one"
        : !IsIdentifier(header.Board) ? "its board is not one"
        : !IsIdentifier(header.Architecture) ? "its architecture is not one"
        : !Enum.IsDefined(header.Kind) ? "it is of an unknown kind"
        : header.Kind == BundleKind.Workload && (header.RootHash ?? header.Salt) is not null ? "it is a workload with the root hash of an image"
        : header.Kind == BundleKind.Image && !IsSha256(header.RootHash) ? "its root hash is not one"
        : header.Kind == BundleKind.Image && !IsHex(header.Salt, Verity.VerityTreeWriter.LargestSalt) ? "its salt is not one"
        : header.MinimumVersion is not null && !IsVersion(header.MinimumVersion) ? "its minimum version is not one"
        : null;

    /// <summary>What is wrong with the payloads that a bundle of a kind has, or null: a workload is one payload and nothing else.</summary>
    public static string? Fault(BundleKind kind, IEnumerable<BundlePayloadKind> payloads) =>
        kind == BundleKind.Workload && !payloads.SequenceEqual([BundlePayloadKind.Workload]) ? "it is a workload and does not have one workload payload alone" : null;
}
