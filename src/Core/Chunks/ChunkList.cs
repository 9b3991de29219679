using System.Buffers.Binary;

namespace Appliance.Core.Chunks;

/// <summary>
/// The list of a big chunk's small ones. Little-endian: where its first frame begins in the data file (40 bits), then for every
/// small chunk its short hash (32 bits), its length less one and its frame's length less one (small bits + 2 each), the two
/// filled up to whole bytes. Frames follow one another without gaps; one that is as long as its chunk is stored as it is.
/// </summary>
public readonly ref struct ChunkList
{
    private const int OffsetSize = 5;
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _bits;
    private readonly int _entrySize;

    private ChunkList(ReadOnlySpan<byte> bytes, ChunkSizes sizes, long frameOffset)
    {
        _bytes = bytes;
        (_bits, _entrySize) = (sizes.SmallBits + 2, EntrySize(sizes));
        FrameOffset = frameOffset;
    }

    /// <summary>Where the first frame begins in the data file.</summary>
    public long FrameOffset { get; }

    /// <summary>Number of small chunks.</summary>
    public int Count => (_bytes.Length - OffsetSize) / _entrySize;

    /// <summary>A small chunk.</summary>
    public ListedChunk this[int chunk]
    {
        get
        {
            var entry = _bytes.Slice(OffsetSize + (chunk * _entrySize), _entrySize);
            ulong lengths = 0;
            for (var i = _entrySize - 1; i >= 4; i--) lengths = (lengths << 8) | entry[i];
            var mask = (1 << _bits) - 1;
            return new ListedChunk(BinaryPrimitives.ReadUInt32LittleEndian(entry), ((int)lengths & mask) + 1, ((int)(lengths >> _bits) & mask) + 1);
        }
    }

    /// <summary>Reads and validates the list of a big chunk.</summary>
    /// <param name="bytes">The list.</param>
    /// <param name="index">The index it belongs to.</param>
    /// <param name="big">The big chunk.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static ChunkList Parse(ReadOnlySpan<byte> bytes, ChunkIndex index, int big)
    {
        if (bytes.Length != index.ListLengthOf(big)) throw new InvalidDataException($"the list of big chunk {big} has another size than the index says");
        var offset = BinaryPrimitives.ReadUInt32LittleEndian(bytes) | ((long)bytes[4] << 32);
        var list = new ChunkList(bytes, index.Sizes, offset);
        long length = 0, packed = 0;
        for (var i = 0; i < list.Count; i++)
        {
            var chunk = list[i];
            if (chunk.PackedLength > chunk.Length) throw new InvalidDataException($"the list of big chunk {big} has a frame larger than its chunk");
            length += chunk.Length;
            packed += chunk.PackedLength;
        }
        if (length != index.LengthOf(big) || offset + packed > index.FramesLength) throw new InvalidDataException($"the list of big chunk {big} does not fit the index");
        return list;
    }

    internal static int SizeOf(ChunkSizes sizes, int count) => OffsetSize + (count * EntrySize(sizes));

    internal static void Write(Stream stream, ChunkSizes sizes, long frameOffset, ReadOnlySpan<ListedChunk> chunks)
    {
        Span<byte> number = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteInt64LittleEndian(number, frameOffset);
        stream.Write(number[..OffsetSize]);
        foreach (var chunk in chunks)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(number, chunk.ShortHash);
            stream.Write(number[..4]);
            BinaryPrimitives.WriteUInt64LittleEndian(number, (uint)(chunk.Length - 1) | ((ulong)(chunk.PackedLength - 1) << (sizes.SmallBits + 2)));
            stream.Write(number[..(EntrySize(sizes) - 4)]);
        }
    }

    private static int EntrySize(ChunkSizes sizes) => 4 + (((2 * (sizes.SmallBits + 2)) + 7) / 8);
}
