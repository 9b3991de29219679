using System.IO.Hashing;
using System.Security.Cryptography;
using System.Threading.Channels;
using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;

namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// Writes the mapped blocks of an image: one task reads (and decompresses), one hashes, one writes, with a few buffers between them.
/// Every range of the map is compared with its checksum, and every block is read back from the medium.
/// </summary>
internal sealed class ImageWriter
{
    /// <summary>Bytes that are written at once.</summary>
    public const int BlockSize = 4 << 20;

    private const int Buffers = 6;

    private readonly IImageContent _image;
    private readonly BlockMap? _map;
    private readonly TargetDevice _target;
    private readonly HeldBack? _ends;
    private readonly long _expected;
    private readonly Action<string, long, long> _onProgress;
    private readonly List<WrittenBlock> _written = [];

    /// <summary>Prepares it.</summary>
    /// <param name="image">Its bytes.</param>
    /// <param name="map">What of them to write; null for all.</param>
    /// <param name="target">Where to.</param>
    /// <param name="ends">What of a disk is held back; null of a file, where zeros need not be written either.</param>
    /// <param name="expected">Bytes that will come, 0 when not known.</param>
    /// <param name="onProgress">Gets phase, bytes done, and bytes to do.</param>
    public ImageWriter(IImageContent image, BlockMap? map, TargetDevice target, HeldBack? ends, long expected, Action<string, long, long> onProgress) =>
        (_image, _map, _target, _ends, _expected, _onProgress) = (image, map, target, ends, expected, onProgress);

    /// <summary>Bytes of the image; known after it was written.</summary>
    public long ImageSize { get; private set; }

    /// <summary>Bytes that were read of it and written, or held back.</summary>
    public long WrittenBytes { get; private set; }

    /// <summary>Writes all but what is held back, and waits until it is on the medium.</summary>
    /// <exception cref="UserError">The image does not match its map, or the device does not take it.</exception>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        var free = Channel.CreateBounded<AlignedBuffer>(Buffers);
        for (var i = 0; i < Buffers; i++) free.Writer.TryWrite(new AlignedBuffer(BlockSize));
        var read = Channel.CreateBounded<(Piece Piece, AlignedBuffer Buffer, int Length)>(Buffers);
        var hashed = Channel.CreateBounded<(Piece Piece, AlignedBuffer Buffer, int Length)>(Buffers);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await AllAsync(stop, cancellationToken, ReadAllAsync(free.Reader, read.Writer, stop.Token), HashAllAsync(read.Reader, hashed.Writer, stop.Token), WriteAllAsync(hashed.Reader, free.Writer, stop.Token));
        _target.Flush();
    }

    /// <summary>Writes the ends of the disk as they are at hand, the last bytes first, and waits until they are on the medium.</summary>
    public void WriteEnds()
    {
        _written.Clear(); // that was read back before
        WriteDisk(_ends!.Tail, _ends.TailStart);
        _target.Flush();
        WriteDisk(_ends.Head, 0);
        _target.Flush();
    }

    /// <summary>Writes something else than the image has, over what was read back already; it is read back by the next <see cref="VerifyAsync"/>.</summary>
    public void Replace(AlignedBuffer bytes, long start)
    {
        _written.Clear();
        for (var at = 0; at < bytes.Size; at += BlockSize) WriteDisk(bytes.Memory.Slice(at, Math.Min(BlockSize, bytes.Size - at)), start + at);
        _target.Flush();
    }

    /// <summary>Writes zeros, to be read back with the rest.</summary>
    public void WriteZeros(long start, long end)
    {
        if (start >= end) return;
        var zeros = new AlignedBuffer((int)Math.Min(BlockSize, end - start));
        for (; start < end; start += zeros.Size) WriteDisk(zeros.Memory[..(int)Math.Min(zeros.Size, end - start)], start);
    }

    /// <summary>Reads back what was written since the last call of <see cref="WriteEnds"/>, or since the beginning.</summary>
    /// <exception cref="UserError">The device did not keep what was written.</exception>
    public async Task VerifyAsync(bool quietly, CancellationToken cancellationToken)
    {
        var total = _written.Sum(block => (long)block.Length);
        await Task.Run(() =>
        {
            var buffer = new AlignedBuffer(BlockSize);
            long done = 0;
            foreach (var block in _written)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var bytes = buffer.Memory[..block.Length];
                _target.Read(bytes, block.Start);
                if (XxHash128.HashToUInt128(bytes.Span) != block.Hash)
                    throw new UserError($"{_target.Path} does not hold what was written to bytes {block.Start} to {block.Start + block.Length}.", "The card or disk is failing, or smaller than it says; use another one.");
                done += block.Length;
                if (!quietly) _onProgress("verify", done, total);
            }
        }, cancellationToken);
    }

    private async Task ReadAllAsync(ChannelReader<AlignedBuffer> free, ChannelWriter<(Piece, AlignedBuffer, int)> read, CancellationToken cancellationToken)
    {
        await Task.Yield();
        ImageSize = _map?.ImageSize ?? 0;
        foreach (var piece in Piece.Of(_map, BlockSize))
        {
            var buffer = await free.ReadAsync(cancellationToken);
            var length = await _image.ReadAsync(piece.Start, buffer.Memory[..piece.Length], cancellationToken);
            if (_map is not null && length < piece.Length) throw Mismatch("it is shorter than its block map says");
            if (_map is null) ImageSize = piece.Start + length;
            if (length > 0) await read.WriteAsync((piece, buffer, length), cancellationToken);
            if (length < piece.Length) break;
        }
        read.Complete();
    }

    private static async Task HashAllAsync(ChannelReader<(Piece, AlignedBuffer, int)> read, ChannelWriter<(Piece, AlignedBuffer, int)> hashed, CancellationToken cancellationToken)
    {
        await Task.Yield();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await foreach (var (piece, buffer, length) in read.ReadAllAsync(cancellationToken))
        {
            if (piece.Range is { } range)
            {
                hash.AppendData(buffer.Memory.Span[..length]);
                if (piece.EndsRange && Convert.ToHexStringLower(hash.GetHashAndReset()) != range.Sha256)
                    throw Mismatch($"bytes {range.First * BlockMap.BlockSize} to {piece.Start + length} differ from its block map");
            }
            await hashed.WriteAsync((piece, buffer, length), cancellationToken);
        }
        hashed.Complete();
    }

    private async Task WriteAllAsync(ChannelReader<(Piece, AlignedBuffer, int)> hashed, ChannelWriter<AlignedBuffer> free, CancellationToken cancellationToken)
    {
        await Task.Yield();
        await foreach (var (piece, buffer, length) in hashed.ReadAllAsync(cancellationToken))
        {
            if (_ends is null) WriteFile(buffer.Memory[..length], piece.Start);
            else
            {
                var whole = (length + TargetDevice.Sector - 1) / TargetDevice.Sector * TargetDevice.Sector;
                buffer.Memory.Span[length..whole].Clear(); // an image need not end with a sector, but a disk does
                if (piece.Start + whole > _target.Size) throw new UserError($"{_target.Path} ({ByteSize.Format(_target.Size.Value)}) is too small for the image.", "Use a larger disk. What is on it now is incomplete.");
                var (bytes, start) = _ends.Take(buffer.Memory[..whole], piece.Start);
                if (bytes.Length > 0) WriteDisk(bytes, start);
            }
            _onProgress("write", WrittenBytes += length, Math.Max(_expected, WrittenBytes));
            await free.WriteAsync(buffer, cancellationToken);
        }
    }

    private void WriteDisk(ReadOnlyMemory<byte> bytes, long start)
    {
        _target.Write(bytes, start);
        _written.Add(new WrittenBlock(start, bytes.Length, XxHash128.HashToUInt128(bytes.Span)));
    }

    private void WriteFile(ReadOnlyMemory<byte> bytes, long start)
    {
        if (bytes.Span.ContainsAnyExcept((byte)0) || _map is not null) WriteDisk(bytes, start);
    }

    /// <summary>Waits for all; the first failure ends the others and is the one that is told.</summary>
    private static async Task AllAsync(CancellationTokenSource stop, CancellationToken cancellationToken, params Task[] tasks)
    {
        var running = tasks.ToList();
        Exception? first = null;
        while (running.Count > 0)
        {
            var ended = await Task.WhenAny(running);
            running.Remove(ended);
            if (ended.IsCompletedSuccessfully || first is not null) continue;
            first = ended.Exception?.InnerException ?? new OperationCanceledException(cancellationToken);
            await stop.CancelAsync();
        }
        if (first is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
    }

    private static UserError Mismatch(string reason) => new($"The image is damaged: {reason}.", "Copy or build the image and its .bmap again.");
}
