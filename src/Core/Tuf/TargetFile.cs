using System.Text.Json;

namespace Appliance.Core.Tuf;

/// <summary>A target: a file that a targets role vouches for.</summary>
public sealed record TargetFile
{
    /// <summary>Its path below the repository's <c>targets/</c>, with forward slashes, without the hash.</summary>
    public required string Path { get; init; }

    /// <summary>Its length in bytes.</summary>
    public required long Length { get; init; }

    /// <summary>Its hashes.</summary>
    public required FileHashes Hashes { get; init; }

    /// <summary>What the publisher says about it beside that: an object, or null.</summary>
    public JsonElement? Custom { get; init; }

    /// <summary>Where the file lies in a repository: with consistent snapshots its name starts with its hash (6.2).</summary>
    public string PathInRepository(bool consistentSnapshot)
    {
        var slash = Path.LastIndexOf('/') + 1;
        return consistentSnapshot ? $"targets/{Path[..slash]}{Hashes.Prefix}.{Path[slash..]}" : $"targets/{Path}";
    }

    /// <summary>The entry of a file with this content.</summary>
    public static TargetFile Of(string path, ReadOnlySpan<byte> content, JsonElement? custom = null) =>
        new() { Path = path, Length = content.Length, Hashes = FileHashes.Of(content), Custom = custom };

    internal static TargetFile Parse(string path, MetadataFields fields) => new()
    {
        Path = path,
        Length = fields.Integer("length", 0),
        Hashes = FileHashes.Parse(fields),
        Custom = fields.Has("custom") ? fields.Object("custom").Json : null,
    };

    /// <summary>True when the path stays below the folder it is relative to, on any file system and in any URL.</summary>
    public static bool IsSafePath(string path) =>
        path.Length is > 0 and <= 512 &&
        path.Split('/').All(segment => segment is not ("" or "." or "..")) &&
        !path.Any(c => c is '\\' or '%' or '?' or '#' or ':' || char.IsControl(c) || char.IsSurrogate(c));
}
