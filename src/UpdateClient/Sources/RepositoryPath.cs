using System.Buffers;

namespace Appliance.UpdateClient.Sources;

/// <summary>Paths below a repository's root, which come out of metadata and must not lead anywhere else.</summary>
internal static class RepositoryPath
{
    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~^+/");

    /// <summary>True for forward-slashed segments of plain characters, none of them empty or starting with a dot.</summary>
    public static bool IsSafe(string path) =>
        path.Length is > 0 and <= 512 && !path.AsSpan().ContainsAnyExcept(Allowed) && path.Split('/').All(segment => segment.Length > 0 && segment[0] != '.');

    /// <summary>Returns the path when it is safe.</summary>
    /// <exception cref="InvalidDataException">It is not.</exception>
    public static string Require(string path) => IsSafe(path) ? path : throw new InvalidDataException($"'{path}' is no path of a repository");
}
