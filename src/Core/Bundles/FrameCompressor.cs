using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using ZstdSharp;

namespace Appliance.Core.Bundles;

/// <summary>
/// Compresses a region of a file into independent zstd frames of 4 MiB plain bytes each, on all cores. Frames written one
/// after another are a valid zstd stream (RFC 8878, section 3.1), and equal regions give equal bytes.
/// </summary>
public static class FrameCompressor
{
    /// <summary>Plain bytes of every frame but the last.</summary>
    public const int FrameSize = 4 << 20;

    /// <summary>Largest compressed frame that is accepted: zstd's bound for bytes that do not compress is below it.</summary>
    public const int LargestFrame = FrameSize + (FrameSize >> 6);

    /// <summary>Level of a build: fast, because most builds are never published.</summary>
    public const int BuildLevel = 1;

    private static readonly Lazy<(byte[] Packed, string Sha256)> ZeroFrame = new(() => Pack(new byte[FrameSize], FrameSize, BuildLevel));

    /// <summary>Compresses a region and writes its frames to a stream; memory is bounded by a few frames a core.</summary>
    /// <param name="source">The file.</param>
    /// <param name="offset">First byte of the region.</param>
    /// <param name="length">Bytes of the region.</param>
    /// <param name="target">Gets the frames.</param>
    /// <param name="onFrame">Gets every frame's plain bytes, in order.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <param name="level">zstd's compression level, 1 to 22.</param>
    public static async Task<IReadOnlyList<BundleFrame>> CompressAsync(SafeFileHandle source, long offset, long length, Stream target, Action<ReadOnlyMemory<byte>>? onFrame, CancellationToken cancellationToken, int level = BuildLevel)
    {
        var frames = new List<BundleFrame>();
        var running = new Queue<Task<(byte[] Plain, int Length, byte[] Packed, string Sha256)>>();
        long read = 0, done = 0;
        while (done < length)
        {
            while (read < length && running.Count < Environment.ProcessorCount * 2)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var plain = new byte[FrameSize];
                var size = (int)Math.Min(FrameSize, length - read);
                await ReadExactlyAsync(source, plain.AsMemory(0, size), offset + read, cancellationToken);
                read += size;
                running.Enqueue(Task.Run(() => PackFrame(plain, size, level), cancellationToken));
            }
            var frame = await running.Dequeue();
            onFrame?.Invoke(frame.Plain.AsMemory(0, frame.Length));
            await target.WriteAsync(frame.Packed, cancellationToken);
            frames.Add(new BundleFrame(frame.Packed.Length, frame.Sha256));
            done += frame.Length;
        }
        return frames;
    }

    /// <summary>Writes the frames of a region of zeros without reading it.</summary>
    public static async Task WriteZerosAsync(long length, Stream target, CancellationToken cancellationToken)
    {
        for (; length >= FrameSize; length -= FrameSize) await target.WriteAsync(ZeroFrame.Value.Packed, cancellationToken);
        if (length > 0) await target.WriteAsync(Pack(new byte[length], (int)length, BuildLevel).Packed, cancellationToken);
    }

    private static (byte[], int, byte[], string) PackFrame(byte[] plain, int length, int level)
    {
        var zeros = length == FrameSize && !plain.AsSpan().ContainsAnyExcept((byte)0);
        var (packed, sha256) = zeros ? ZeroFrame.Value : Pack(plain, length, level);
        return (plain, length, packed, sha256);
    }

    private static (byte[] Packed, string Sha256) Pack(byte[] plain, int length, int level)
    {
        using var compressor = new Compressor(level);
        var span = plain.AsSpan(0, length);
        return (compressor.Wrap(span).ToArray(), Convert.ToHexStringLower(SHA256.HashData(span)));
    }

    private static async Task ReadExactlyAsync(SafeFileHandle source, Memory<byte> buffer, long offset, CancellationToken cancellationToken)
    {
        for (var filled = 0; filled < buffer.Length;)
        {
            var read = await RandomAccess.ReadAsync(source, buffer[filled..], offset + filled, cancellationToken);
            if (read == 0) throw new EndOfStreamException("the file became shorter while it was compressed");
            filled += read;
        }
    }
}
