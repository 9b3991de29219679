using System.Buffers;
using System.Buffers.Binary;
using Appliance.Core;
using ZstdSharp;

namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// A zstd image. Ours are frames of a few MiB that say how much they hold: those that nobody wants are stepped over without being
/// decompressed, the others are decompressed on all cores ahead of the reader. One large frame, as the zstd program makes it, is read as a stream.
/// </summary>
/// <param name="compressed">The file.</param>
/// <param name="isWanted">Whether anything between two positions will be read.</param>
internal sealed class ZstdContent(Stream compressed, Func<long, long, bool> isWanted) : IImageContent
{
    private const int LargestFrame = 16 << 20, BlockHeader = 3, Step = 64 << 10;
    private readonly Queue<(long Start, int Length, Task<byte[]> Plain)> _ahead = new();
    private readonly int _most = Environment.ProcessorCount + 1;
    private byte[] _input = new byte[1 << 20];
    private int _inputStart, _inputEnd;
    private long _next;
    private bool _ended, _looked;
    private Stream? _rest;
    private PlainContent? _stream;
    private long _streamStart;

    /// <inheritdoc/>
    public long? Size { get; private set; }

    public async ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            var filled = 0;
            while (filled < buffer.Length)
            {
                var read = await ReadSomeAsync(position + filled, buffer[filled..], cancellationToken);
                if (read == 0) break;
                filled += read;
            }
            return filled;
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException or InvalidDataException)
        {
            throw new UserError($"The image is damaged: it is no whole zstd file ({e.Message}).", "Copy or build it again.", e);
        }
    }

    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        var scratch = new byte[Step];
        while (await compressed.ReadAsync(scratch, cancellationToken) > 0) { }
    }

    public async ValueTask DisposeAsync()
    {
        while (_ahead.TryDequeue(out var frame)) await ((Task)frame.Plain).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_stream is not null) await _stream.DisposeAsync();
        await compressed.DisposeAsync();
    }

    private async ValueTask<int> ReadSomeAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            while (!_ended && _rest is null && _ahead.Count < _most) await LookAheadAsync(cancellationToken);
            if (_ahead.TryPeek(out var frame))
            {
                if (frame.Start + frame.Length <= position)
                {
                    ArrayPool<byte>.Shared.Return(await _ahead.Dequeue().Plain);
                    continue;
                }
                if (frame.Start > position) throw new InvalidOperationException($"byte {position} of the image is read, but was not asked for");
                var plain = await frame.Plain;
                var count = (int)Math.Min(buffer.Length, frame.Start + frame.Length - position);
                plain.AsMemory((int)(position - frame.Start), count).CopyTo(buffer);
                return count;
            }
            if (_rest is null) return 0;
            _stream ??= new PlainContent(new DecompressionStream(_rest, leaveOpen: false), null);
            return await _stream.ReadAsync(position - _streamStart, buffer, cancellationToken);
        }
    }

    /// <summary>Steps over the next frame or begins to decompress it.</summary>
    private async Task LookAheadAsync(CancellationToken cancellationToken)
    {
        if (!await HaveAsync(ZstdFrameHeader.Longest, cancellationToken) && _inputEnd == _inputStart)
        {
            _ended = true;
            return;
        }
        if (ZstdFrameHeader.IsSkippable(Input))
        {
            var length = 8 + (long)BinaryPrimitives.ReadUInt32LittleEndian(Input[4..]);
            if (length > LargestFrame) throw new InvalidDataException("a skippable frame is too large");
            await NeedAsync((int)length, cancellationToken);
            _inputStart += (int)length;
            return;
        }
        if (ZstdFrameHeader.Read(Input) is not { } header) throw new InvalidDataException("there is no frame where one has to begin");
        if (header.ContentSize is not { } size || size > LargestFrame)
        {
            if (!_looked) Size = header.ContentSize; // the zstd program writes one frame, which is all
            _rest = new ReplayStream(_input.AsMemory(_inputStart, _inputEnd - _inputStart), compressed);
            _streamStart = _next;
            return;
        }
        _looked = true;
        var packed = await FrameLengthAsync(header, cancellationToken);
        if (size > 0 && isWanted(_next, _next + size))
        {
            var frame = ArrayPool<byte>.Shared.Rent(packed);
            Input[..packed].CopyTo(frame);
            _ahead.Enqueue((_next, (int)size, Task.Run(() => Unpack(frame, packed, (int)size), cancellationToken)));
        }
        _next += size;
        _inputStart += packed;
    }

    /// <summary>Bytes of the frame at hand: its blocks say how long they are (RFC 8878, section 3.1.1.2).</summary>
    private async Task<int> FrameLengthAsync(ZstdFrameHeader header, CancellationToken cancellationToken)
    {
        var at = header.Length;
        for (var last = false; !last;)
        {
            await NeedAsync(at + BlockHeader, cancellationToken);
            var block = Input[at] | Input[at + 1] << 8 | Input[at + 2] << 16;
            last = (block & 1) != 0;
            var isRepeated = (block >> 1 & 3) == 1;
            at += BlockHeader + (isRepeated ? 1 : block >> 3);
            if (at > LargestFrame + (LargestFrame >> 4)) throw new InvalidDataException("a frame is longer than what it holds");
        }
        if (header.HasChecksum) at += 4;
        await NeedAsync(at, cancellationToken);
        return at;
    }

    private static byte[] Unpack(byte[] frame, int packed, int size)
    {
        using var decompressor = new Decompressor();
        var plain = ArrayPool<byte>.Shared.Rent(size);
        var unpacked = decompressor.Unwrap(frame.AsSpan(0, packed), plain);
        ArrayPool<byte>.Shared.Return(frame);
        return unpacked == size ? plain : throw new InvalidDataException("a frame holds less than it says");
    }

    private ReadOnlySpan<byte> Input => _input.AsSpan(_inputStart, _inputEnd - _inputStart);

    private async ValueTask NeedAsync(int bytes, CancellationToken cancellationToken)
    {
        if (!await HaveAsync(bytes, cancellationToken)) throw new EndOfStreamException("it ends too early");
    }

    /// <summary>Has so many bytes of the file at hand; false at its end.</summary>
    private async ValueTask<bool> HaveAsync(int bytes, CancellationToken cancellationToken)
    {
        while (_inputEnd - _inputStart < bytes)
        {
            if (_inputStart > 0 && (_inputStart == _inputEnd || _inputStart + bytes > _input.Length))
            {
                Input.CopyTo(_input);
                (_inputStart, _inputEnd) = (0, _inputEnd - _inputStart);
            }
            if (bytes > _input.Length) Array.Resize(ref _input, (bytes + Step) * 2);
            var read = await compressed.ReadAsync(_input.AsMemory(_inputEnd), cancellationToken);
            if (read == 0) return false;
            _inputEnd += read;
        }
        return true;
    }
}
