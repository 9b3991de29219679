using System.Buffers.Binary;

namespace Appliance.Core.Chunks;

/// <summary>
/// The index of a payload: where its big chunks end and what they hash to. A device fetches it whole, finds the big chunks it
/// has, and fetches from the data file the lists of small chunks of those it has not.
/// <para>Little-endian: magic, payload size, bytes of all frames (64 bits each), number of big chunks, bytes of the packed
/// primes (32 bits each), binary logarithms of the average small and big chunk and of the window, machine code (8 bits each), 32
/// zero bits;
/// the primes; the first eight bytes of every big chunk's SHA-256; then for every big chunk its length and its number of small
/// chunks as LEB128. The data file is all frames in order, then all lists in order.</para>
/// </summary>
public sealed class ChunkIndex
{
    /// <summary>Largest index that is read, in bytes.</summary>
    public const int LargestSize = 16 << 20;

    /// <summary>Largest payload, in bytes.</summary>
    public const long LargestPayload = 64L << 30;

    internal const int HeaderSize = 40;
    internal const int SmallestWindowBits = 16;
    internal const int LargestWindowBits = 23;
    internal static readonly ulong Magic = BinaryPrimitives.ReadUInt64LittleEndian("apchunk1"u8);
    private readonly long[] _offsets;
    private readonly int[] _counts;
    private readonly long[] _listOffsets;

    private ChunkIndex(ChunkSizes sizes, int windowBits, MachineCode code, FramePrimes primes, ulong[] hashes, long[] offsets, int[] counts, long framesLength)
    {
        (Sizes, WindowBits, Code, Primes, Hashes, _offsets, _counts, FramesLength) = (sizes, windowBits, code, primes, hashes, offsets, counts, framesLength);
        _listOffsets = new long[counts.Length + 1];
        _listOffsets[0] = framesLength;
        for (var i = 0; i < counts.Length; i++) _listOffsets[i + 1] = _listOffsets[i] + ChunkList.SizeOf(sizes, counts[i]);
    }

    /// <summary>How the payload was cut.</summary>
    public ChunkSizes Sizes { get; }

    /// <summary>Binary logarithm of how far back a frame may point.</summary>
    public int WindowBits { get; }

    /// <summary>Whose code has absolute addresses in frames.</summary>
    public MachineCode Code { get; }

    /// <summary>What the frame coder starts with.</summary>
    public FramePrimes Primes { get; }

    /// <summary>Number of big chunks.</summary>
    public int Count => Hashes.Length;

    /// <summary>Bytes of the payload.</summary>
    public long PayloadLength => _offsets[^1];

    /// <summary>Bytes of all frames.</summary>
    public long FramesLength { get; }

    /// <summary>Bytes of the data file: the frames and the lists.</summary>
    public long DataLength => _listOffsets[^1];

    /// <summary>The first eight bytes of every big chunk's SHA-256.</summary>
    internal ulong[] Hashes { get; }

    /// <summary>The first eight bytes of a big chunk's SHA-256.</summary>
    public ulong HashOf(int big) => Hashes[big];

    /// <summary>Where a big chunk begins in the payload.</summary>
    public long OffsetOf(int big) => _offsets[big];

    /// <summary>Bytes of a big chunk.</summary>
    public int LengthOf(int big) => (int)(_offsets[big + 1] - _offsets[big]);

    /// <summary>Number of small chunks in a big one.</summary>
    public int CountOf(int big) => _counts[big];

    /// <summary>Where a big chunk's list begins in the data file.</summary>
    public long ListOffsetOf(int big) => _listOffsets[big];

    /// <summary>Bytes of a big chunk's list.</summary>
    public int ListLengthOf(int big) => (int)(_listOffsets[big + 1] - _listOffsets[big]);

    /// <summary>The big chunk a byte of the payload is in.</summary>
    public int Find(long offset)
    {
        var at = Array.BinarySearch(_offsets, offset);
        return at >= 0 ? at : ~at - 1;
    }

    /// <summary>Reads and validates an index.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="InvalidDataException">It is damaged or of another format.</exception>
    public static ChunkIndex Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < HeaderSize or > LargestSize || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic) throw Damaged("it is not one of this format");
        var payload = BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]);
        var frames = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        var count = BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]);
        var primesLength = BinaryPrimitives.ReadInt32LittleEndian(bytes[28..]);
        var sizes = new ChunkSizes(bytes[32], bytes[33]);
        int windowBits = bytes[34];
        if (payload is < 0 or > LargestPayload || frames < 0 || frames > payload || !sizes.Valid || windowBits is < SmallestWindowBits or > LargestWindowBits || bytes[35] > (byte)MachineCode.Arm64
            || BinaryPrimitives.ReadInt32LittleEndian(bytes[36..]) != 0)
            throw Damaged("its header makes no sense");
        // Ten bytes are the least a big chunk needs: nothing is allocated that the file does not back.
        if (primesLength is < 0 or > FramePrimes.LargestPacked || count < 0 || HeaderSize + primesLength + (count * 10L) > bytes.Length) throw Damaged("it is too short");
        var primes = FramePrimes.Unpack(bytes.Slice(HeaderSize, primesLength));
        var rest = bytes[(HeaderSize + primesLength)..];
        var hashes = new ulong[count];
        for (var i = 0; i < count; i++) hashes[i] = BinaryPrimitives.ReadUInt64LittleEndian(rest[(i * 8)..]);
        rest = rest[(count * 8)..];
        var offsets = new long[count + 1];
        var counts = new int[count];
        for (var i = 0; i < count; i++)
        {
            var length = ReadNumber(ref rest);
            counts[i] = ReadNumber(ref rest);
            var last = i == count - 1;
            if (length > sizes.BigMax || length < (last ? 1 : sizes.BigMin)) throw Damaged($"big chunk {i} has an impossible length");
            if (counts[i] < (length + sizes.SmallMax - 1) / sizes.SmallMax || counts[i] > (length / sizes.SmallMin) + 1) throw Damaged($"big chunk {i} has an impossible number of small ones");
            offsets[i + 1] = offsets[i] + length;
        }
        if (!rest.IsEmpty || offsets[count] != payload) throw Damaged("its chunks do not make up the payload");
        return new ChunkIndex(sizes, windowBits, (MachineCode)bytes[35], primes, hashes, offsets, counts, frames);
    }

    private static int ReadNumber(scoped ref ReadOnlySpan<byte> bytes)
    {
        var value = 0;
        for (var i = 0; i < 3 && i < bytes.Length; i++)
        {
            value |= (bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return value;
        }
        throw Damaged("a number in it is too long");
    }

    private static InvalidDataException Damaged(string reason) => new($"the chunk index cannot be used: {reason}");
}
