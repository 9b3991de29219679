using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Appliance.UpdateServer.Releases;

/// <summary>The hashes of a file that DDI's clients ask for, read once.</summary>
/// <param name="Size">Size in bytes.</param>
/// <param name="Sha256">Lower-case hex.</param>
/// <param name="Sha1">Lower-case hex.</param>
/// <param name="Md5">Lower-case hex.</param>
internal sealed record FileDigests(long Size, string Sha256, string Sha1, string Md5)
{
    private const int BufferSize = 128 << 10;

    /// <summary>Reads a stream to its end into a new file, which is on the disk then.</summary>
    /// <param name="from">The stream.</param>
    /// <param name="path">The file.</param>
    /// <param name="limit">Most bytes.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">It is longer than the limit.</exception>
    public static async Task<FileDigests> ReceiveAsync(Stream from, string path, long limit, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        var digests = await ReadAsync(from, file, limit, cancellationToken);
        await file.FlushAsync(cancellationToken);
        file.Flush(flushToDisk: true);
        return digests;
    }

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="from">The stream.</param>
    /// <param name="to">Where a copy goes; null for none.</param>
    /// <param name="limit">Most bytes.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">It is longer than the limit.</exception>
    [SuppressMessage("Security", "CA5350", Justification = "DDI's clients compare SHA-1; what the device trusts is SHA-256 and its own signature.")]
    [SuppressMessage("Security", "CA5351", Justification = "DDI has MD5SUM files.")]
    public static async Task<FileDigests> ReadAsync(Stream from, Stream? to, long limit, CancellationToken cancellationToken)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var sha1 = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        var buffer = new byte[BufferSize];
        long size = 0;
        for (int read; (read = await from.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            if ((size += read) > limit) throw new InvalidDataException($"It has more than the {limit} bytes that are allowed.");
            var part = buffer.AsMemory(0, read);
            sha256.AppendData(part.Span);
            sha1.AppendData(part.Span);
            md5.AppendData(part.Span);
            if (to is not null) await to.WriteAsync(part, cancellationToken);
        }
        return new FileDigests(size, Hex(sha256), Hex(sha1), Hex(md5));

        static string Hex(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
