using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Disk;

/// <summary>Copies files so that the target stays sparse.</summary>
internal static class SparseCopy
{
    private const int Block = 4096;
    private const int BufferSize = 4 << 20;

    /// <summary>
    /// Copies <paramref name="source"/> to <paramref name="offset"/> of a target that is all holes there. Its holes stay holes, its
    /// zeros become zeros: a block map tells one from the other, and on a disk that held something else only what is mapped is written.
    /// </summary>
    /// <param name="source">The file.</param>
    /// <param name="target">What it is copied into.</param>
    /// <param name="offset">Where to.</param>
    /// <param name="whole">True when every byte counts, those in holes, too: dm-verity checks all of them.</param>
    /// <param name="onBytes">Gets the number of bytes with every step; holes count.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task CopyAsync(string source, SafeFileHandle target, long offset, bool whole, Action<long>? onBytes, CancellationToken cancellationToken)
    {
        using var handle = File.OpenHandle(source, options: FileOptions.Asynchronous | FileOptions.SequentialScan);
        var size = RandomAccess.GetLength(handle);
        var buffer = new byte[BufferSize];
        long position = 0;
        IEnumerable<(long Start, long End)> runs = whole ? [(0, size)] : DataExtents.Of(handle);
        foreach (var (start, end) in runs)
        {
            onBytes?.Invoke(start - position);
            for (position = start; position < end;)
            {
                var read = await RandomAccess.ReadAsync(handle, buffer.AsMemory(0, (int)Math.Min(BufferSize, end - position)), position, cancellationToken);
                if (read == 0) throw new EndOfStreamException($"{source} became shorter while it was copied");
                await RandomAccess.WriteAsync(target, buffer.AsMemory(0, read), offset + position, cancellationToken);
                position += read;
                onBytes?.Invoke(read);
            }
        }
        onBytes?.Invoke(size - position);
    }

    /// <summary>Copies a stream to a target that is all holes, leaves out blocks of zeros, and gives it the stream's length.</summary>
    public static async Task CopyAsync(Stream source, SafeFileHandle target, Action<long>? onBytes, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferSize];
        long position = 0;
        int read;
        while ((read = await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)) > 0)
        {
            await WriteDataAsync(buffer.AsMemory(0, read), target, position, cancellationToken);
            position += read;
            onBytes?.Invoke(read);
        }
        RandomAccess.SetLength(target, position);
    }

    private static async Task WriteDataAsync(ReadOnlyMemory<byte> data, SafeFileHandle target, long offset, CancellationToken cancellationToken)
    {
        for (var start = 0; start < data.Length;)
        {
            var length = RunLength(data.Span[start..], out var zeros);
            if (!zeros) await RandomAccess.WriteAsync(target, data.Slice(start, length), offset + start, cancellationToken);
            start += length;
        }
    }

    /// <summary>Length of the run of blocks at the start that are all zero, or all not.</summary>
    private static int RunLength(ReadOnlySpan<byte> data, out bool zeros)
    {
        zeros = IsZero(data[..Math.Min(Block, data.Length)]);
        var length = Math.Min(Block, data.Length);
        while (length < data.Length)
        {
            var next = Math.Min(Block, data.Length - length);
            if (IsZero(data.Slice(length, next)) != zeros) break;
            length += next;
        }
        return length;
    }

    private static bool IsZero(ReadOnlySpan<byte> block) => !block.ContainsAnyExcept((byte)0);
}
