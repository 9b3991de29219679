using System.Buffers.Binary;

namespace Appliance.Core.Chunks;

/// <summary>Collects the big chunks of a payload and writes the index. The format is described at <see cref="ChunkIndex"/>.</summary>
internal sealed class ChunkIndexWriter(ChunkSizes sizes, int windowBits, MachineCode code)
{
    private readonly List<(ulong Hash, int Length, int Count)> _bigs = [];
    private long _payload;

    public void Add(ulong hash, int length, int count)
    {
        _bigs.Add((hash, length, count));
        _payload += length;
    }

    public byte[] ToBytes(FramePrimes primes, long framesLength)
    {
        var packed = primes.Pack();
        using var stream = new MemoryStream();
        Span<byte> header = stackalloc byte[ChunkIndex.HeaderSize];
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, ChunkIndex.Magic);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], _payload);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], framesLength);
        BinaryPrimitives.WriteInt32LittleEndian(header[24..], _bigs.Count);
        BinaryPrimitives.WriteInt32LittleEndian(header[28..], packed.Length);
        (header[32], header[33], header[34], header[35]) = ((byte)sizes.SmallBits, (byte)sizes.BigBits, (byte)windowBits, (byte)code);
        stream.Write(header);
        stream.Write(packed);
        Span<byte> number = stackalloc byte[8];
        foreach (var big in _bigs)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(number, big.Hash);
            stream.Write(number);
        }
        foreach (var big in _bigs)
        {
            WriteNumber(stream, big.Length);
            WriteNumber(stream, big.Count);
        }
        return stream.ToArray();
    }

    private static void WriteNumber(MemoryStream stream, int value)
    {
        for (; value >= 0x80; value >>= 7) stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }
}
