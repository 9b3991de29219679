using System.Security.Cryptography;

namespace Appliance.Core.Tuf;

/// <summary>The hashes of a file, in lower-case hex; at least one is there, and all that are there must match.</summary>
public sealed record FileHashes
{
    /// <summary>SHA-256, 64 digits.</summary>
    public string? Sha256 { get; init; }

    /// <summary>SHA-512, 128 digits.</summary>
    public string? Sha512 { get; init; }

    /// <summary>The hash that names the file in a repository with consistent snapshots.</summary>
    public string Prefix => Sha256 ?? Sha512!;

    /// <summary>The hashes of <paramref name="bytes"/> as this program publishes them.</summary>
    public static FileHashes Of(ReadOnlySpan<byte> bytes) => new() { Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)) };

    /// <summary>True when every hash is that of <paramref name="bytes"/>.</summary>
    public bool Match(ReadOnlySpan<byte> bytes) =>
        (Sha256 is null || Sha256 == Convert.ToHexStringLower(SHA256.HashData(bytes))) &&
        (Sha512 is null || Sha512 == Convert.ToHexStringLower(SHA512.HashData(bytes)));

    internal static FileHashes Parse(MetadataFields owner)
    {
        var fields = owner.Object("hashes");
        var hashes = new FileHashes { Sha256 = Read(fields, "sha256", 64), Sha512 = Read(fields, "sha512", 128) };
        return hashes is { Sha256: null, Sha512: null } ? throw owner.MemberError("hashes", "has neither sha256 nor sha512") : hashes;
    }

    private static string? Read(MetadataFields fields, string name, int digits)
    {
        if (!fields.Has(name)) return null;
        var text = fields.Text(name);
        return text.Length == digits && text.All(char.IsAsciiHexDigitLower)
            ? text
            : throw fields.MemberError(name, $"is not {digits} lower-case hexadecimal digits");
    }
}
