using System.Security.Cryptography;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Sources;

/// <summary>Reads what releases refer to.</summary>
internal static class RepositoryObjects
{
    private const int MostTries = 2; // the second is for what a proxy has damaged

    /// <summary>Reads a small object whole and verifies it.</summary>
    /// <param name="source">The repository.</param>
    /// <param name="reference">The object; the caller has looked at its size.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">It is missing or damaged.</exception>
    public static async Task<byte[]> ReadObjectAsync(this IRepositorySource source, ObjectReference reference, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var bytes = await source.TryReadAsync(reference.Path, (int)reference.Size, cancellationToken) ?? throw new InvalidDataException($"{reference.Path} is missing");
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) == reference.Sha256) return bytes;
            if (tries == MostTries) throw new InvalidDataException($"{reference.Path} is damaged");
        }
    }
}
