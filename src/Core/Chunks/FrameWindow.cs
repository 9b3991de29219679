namespace Appliance.Core.Chunks;

/// <summary>
/// The bytes before a frame as frames see them, with absolute addresses, and the frames' decoder. It is filled as far as frames
/// need it, from the plain payload.
/// </summary>
/// <param name="index">The payload's index.</param>
public sealed class FrameWindow(ChunkIndex index)
{
    private readonly FrameDecoder _decoder = new(index.Primes);
    private readonly byte[] _buffer = new byte[(1 << index.WindowBits) + (4 * ChunkSizes.LargestBig)];
    private long _start; // a multiple of four: the coder looks at the last two bits of positions
    private int _filled;

    /// <summary>The payload's bytes that <see cref="Begin"/> may ask for before a big chunk, at most.</summary>
    public static int Reach(ChunkIndex index) => (1 << index.WindowBits) + index.Sizes.BigMax;

    private long End => _start + _filled;

    /// <summary>Prepares for the frames of a big chunk.</summary>
    /// <param name="big">The big chunk.</param>
    /// <param name="plain">The plain payload before it: all of it, or its last <see cref="Reach"/> bytes or more.</param>
    public void Begin(int big, ReadOnlySpan<byte> plain)
    {
        var offset = index.OffsetOf(big);
        var first = index.Find(Math.Max(0, offset - (1 << index.WindowBits)));
        if (End > offset) _filled = (int)Math.Max(0, offset - _start);
        if (End < index.OffsetOf(first) || _filled == 0)
        {
            _start = index.OffsetOf(first) & ~3L;
            _filled = (int)(index.OffsetOf(first) & 3);
        }
        for (var at = index.Find(End); at < big; at++)
        {
            var left = plain.Slice(plain.Length - (int)(offset - index.OffsetOf(at)), index.LengthOf(at));
            while (!left.IsEmpty)
            {
                var length = Gear.Cut(left, index.Sizes, out _);
                AddPlain(left[..length]);
                left = left[length..];
            }
        }
    }

    /// <summary>Takes the next small chunk, which is known.</summary>
    public void AddPlain(ReadOnlySpan<byte> chunk)
    {
        MakeRoom(chunk.Length);
        var target = _buffer.AsSpan(_filled, chunk.Length);
        chunk.CopyTo(target);
        AddressFilter.MakeAbsolute(index.Code, target, End);
        _filled += chunk.Length;
    }

    /// <summary>Unpacks the next small chunk.</summary>
    /// <param name="packed">Its frame.</param>
    /// <param name="chunk">Gets its plain bytes.</param>
    /// <exception cref="InvalidDataException">The frame is damaged, or what came before it is not what it was made for.</exception>
    public void AddFrame(ReadOnlySpan<byte> packed, Span<byte> chunk)
    {
        MakeRoom(chunk.Length);
        _decoder.Decode(packed, _buffer, _filled, chunk.Length);
        _buffer.AsSpan(_filled, chunk.Length).CopyTo(chunk);
        AddressFilter.MakeRelative(index.Code, chunk, End);
        _filled += chunk.Length;
    }

    private void MakeRoom(int length)
    {
        if (_filled + length <= _buffer.Length) return;
        // The current big chunk may be begun again, so what is before it stays as well.
        var drop = (_filled - Reach(index)) & ~3;
        _buffer.AsSpan(drop, _filled - drop).CopyTo(_buffer);
        _start += drop;
        _filled -= drop;
    }
}
