namespace Appliance.UpdateClient;

/// <summary>Where a repository's files come from: a web server, a folder, or a bundle that carries them. Knows nothing of trust.</summary>
public interface IRepositorySource
{
    /// <summary>Bytes that were read from it so far, those that had to be read twice included.</summary>
    long BytesRead => 0;

    /// <summary>True once it has turned out that a range costs everything before it as well, as on web servers that know no ranges.</summary>
    bool ReadsFromTheFront => false;

    /// <summary>SHA-256 of the one release this source carries, together with its bundle and nothing else; null for a whole repository.</summary>
    string? OnlyRelease => null;

    /// <summary>Reads a whole small file.</summary>
    /// <param name="path">Path below the repository's root, with forward slashes, e.g. <c>metadata/timestamp.json</c>.</param>
    /// <param name="limit">Largest size in bytes that is accepted; reading stops there.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>The bytes, or null when there is no such file.</returns>
    /// <exception cref="Appliance.Core.UserError">The source cannot be reached or read, or the file is larger than <paramref name="limit"/>.</exception>
    Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken);

    /// <summary>Reads ranges of a file, in the order given, with several under way at once where that is faster.</summary>
    /// <param name="path">Path below the repository's root.</param>
    /// <param name="ranges">The ranges; ascending, without overlap.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">The file is not there, or shorter than the ranges say.</exception>
    /// <exception cref="Appliance.Core.UserError">The source cannot be reached or read.</exception>
    /// <returns>Every range's bytes whole, one element a range, in order. The memory is the caller's until the next element is asked for.</returns>
    IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, CancellationToken cancellationToken);
}
