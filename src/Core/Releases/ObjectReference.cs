using System.Security.Cryptography;

namespace Appliance.Core.Releases;

/// <summary>A file of the repository that never changes, and how to tell that it is the right one.</summary>
/// <param name="Path">Path below the repository's root: <c>objects/&lt;first two hex digits&gt;/&lt;sha256&gt;</c>.</param>
/// <param name="Size">Size in bytes.</param>
/// <param name="Sha256">SHA-256, lower-case hex.</param>
public sealed record ObjectReference(string Path, long Size, string Sha256)
{
    /// <summary>The reference to an object of this content.</summary>
    public static ObjectReference For(string sha256, long size) => new(PathFor(sha256), size, sha256);

    /// <summary>Whether what a stream still holds is the object's content.</summary>
    public async Task<bool> IsContentOfAsync(Stream stream, CancellationToken cancellationToken) =>
        Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)) == Sha256;

    /// <summary>Where the object with this SHA-256 lies.</summary>
    public static string PathFor(string sha256) => $"objects/{sha256[..2]}/{sha256}";
}
