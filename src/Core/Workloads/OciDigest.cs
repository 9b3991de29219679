using System.Security.Cryptography;
using Appliance.Core.Bundles;

namespace Appliance.Core.Workloads;

/// <summary>Digests as OCI documents write them: <c>sha256:</c> and 64 lower-case hex digits.</summary>
public static class OciDigest
{
    private const string Prefix = "sha256:";

    /// <summary>Whether a text is a digest.</summary>
    public static bool IsDigest(string? text) => text is not null && text.StartsWith(Prefix, StringComparison.Ordinal) && BundleRules.IsSha256(text[Prefix.Length..]);

    /// <summary>The digest of some bytes.</summary>
    public static string Of(ReadOnlySpan<byte> bytes) => OfHash(SHA256.HashData(bytes));

    /// <summary>The digest of what has this SHA-256.</summary>
    public static string OfHash(ReadOnlySpan<byte> hash) => Prefix + Convert.ToHexStringLower(hash);

    /// <summary>The hex digits of a digest.</summary>
    public static string HexOf(string digest) => digest[Prefix.Length..];
}
