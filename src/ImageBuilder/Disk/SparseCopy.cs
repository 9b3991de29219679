using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Disk;

/// <summary>Copies a file into a place of another and leaves out blocks of zeros, so that the target stays sparse.</summary>
internal static class SparseCopy
{
    private const int Block = 4096;
    private const int BufferSize = 4 << 20;

    /// <summary>Copies <paramref name="source"/> to <paramref name="offset"/> of a target that is all zeros there.</summary>
    public static async Task CopyAsync(string source, SafeFileHandle target, long offset, Action<long>? onBytes, CancellationToken cancellationToken)
    {
        using var handle = File.OpenHandle(source, options: FileOptions.Asynchronous | FileOptions.SequentialScan);
        var buffer = new byte[BufferSize];
        long position = 0;
        while (true)
        {
            var read = await RandomAccess.ReadAsync(handle, buffer, position, cancellationToken);
            if (read == 0) return;
            await WriteDataAsync(buffer.AsMemory(0, read), target, offset + position, cancellationToken);
            position += read;
            onBytes?.Invoke(read);
        }
    }

    /// <summary>Copies a stream to a target that is all zeros, and gives it the stream's length.</summary>
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
