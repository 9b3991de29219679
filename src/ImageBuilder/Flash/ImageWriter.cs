using System.Security.Cryptography;
using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;
using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Flash;

/// <summary>Writes an image front to back, only the blocks its map lists, each range checked before it counts and read back at the end.</summary>
internal sealed class ImageWriter(Stream image, BlockMap? map, SafeFileHandle target, Action<string, long, long> onProgress)
{
    private const int BufferSize = 4 << 20;
    private readonly byte[] _buffer = new byte[BufferSize];

    /// <summary>Writes and syncs; returns the image's size in bytes.</summary>
    /// <exception cref="UserError">The image does not match its map.</exception>
    public async Task<long> WriteAsync(CancellationToken cancellationToken)
    {
        var size = map is null ? await WriteWholeAsync(cancellationToken) : await WriteMappedAsync(map, cancellationToken);
        RandomAccess.FlushToDisk(target);
        return size;
    }

    /// <summary>Reads every mapped range back.</summary>
    /// <exception cref="UserError">The device did not keep what was written.</exception>
    public async Task VerifyAsync(BlockMap written, CancellationToken cancellationToken)
    {
        long done = 0;
        foreach (var range in written.Ranges)
        {
            var (start, end) = Bytes(range, written.ImageSize);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (var position = start; position < end;)
            {
                var read = await RandomAccess.ReadAsync(target, _buffer.AsMemory(0, (int)Math.Min(BufferSize, end - position)), position, cancellationToken);
                if (read == 0) break;
                hash.AppendData(_buffer, 0, read);
                position += read;
                onProgress("verify", done += read, written.MappedBytes);
            }
            if (Convert.ToHexStringLower(hash.GetHashAndReset()) != range.Sha256)
                throw new UserError($"The device does not hold what was written to bytes {start} to {end}.", "The card or disk is failing; use another one.");
        }
    }

    private async Task<long> WriteMappedAsync(BlockMap map, CancellationToken cancellationToken)
    {
        long at = 0, done = 0;
        foreach (var range in map.Ranges)
        {
            var (start, end) = Bytes(range, map.ImageSize);
            await SkipAsync(start - at, cancellationToken);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (at = start; at < end;)
            {
                var read = await image.ReadAtLeastAsync(_buffer.AsMemory(0, (int)Math.Min(BufferSize, end - at)), 1, throwOnEndOfStream: false, cancellationToken);
                if (read == 0) throw Mismatch("it is shorter than its block map says");
                hash.AppendData(_buffer, 0, read);
                await RandomAccess.WriteAsync(target, _buffer.AsMemory(0, read), at, cancellationToken);
                at += read;
                onProgress("write", done += read, map.MappedBytes);
            }
            if (Convert.ToHexStringLower(hash.GetHashAndReset()) != range.Sha256) throw Mismatch($"bytes {start} to {end} differ from its block map");
        }
        return map.ImageSize;
    }

    private async Task<long> WriteWholeAsync(CancellationToken cancellationToken)
    {
        long at = 0;
        int read;
        while ((read = await image.ReadAtLeastAsync(_buffer, BufferSize, throwOnEndOfStream: false, cancellationToken)) > 0)
        {
            await RandomAccess.WriteAsync(target, _buffer.AsMemory(0, read), at, cancellationToken);
            onProgress("write", at += read, image.CanSeek ? image.Length : 0);
        }
        return at;
    }

    private async Task SkipAsync(long bytes, CancellationToken cancellationToken)
    {
        if (image.CanSeek)
        {
            image.Seek(bytes, SeekOrigin.Current);
            return;
        }
        while (bytes > 0)
        {
            var read = await image.ReadAsync(_buffer.AsMemory(0, (int)Math.Min(BufferSize, bytes)), cancellationToken);
            if (read == 0) throw Mismatch("it is shorter than its block map says");
            bytes -= read;
        }
    }

    private static (long Start, long End) Bytes(BlockRange range, long imageSize) =>
        (range.First * BlockMap.BlockSize, Math.Min((range.Last + 1) * BlockMap.BlockSize, imageSize));

    private static UserError Mismatch(string reason) => new($"The image is damaged: {reason}.", "Copy or build the image and its .bmap again.");
}
