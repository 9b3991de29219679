namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// The first and the last bytes of a disk, where its partition tables are. They are zeros while it is written and come last, so
/// that what an interruption leaves does not look like a disk and does not boot.
/// </summary>
internal sealed class HeldBack
{
    /// <summary>Bytes at either end.</summary>
    public const int Size = 1 << 20;

    private readonly AlignedBuffer _head = new(Size);
    private readonly AlignedBuffer _tail;

    /// <summary>For a disk of this size, of at least twice <see cref="Size"/>.</summary>
    public HeldBack(long diskSize) => (TailStart, _tail) = (diskSize - Size, new AlignedBuffer(Size));

    /// <summary>First byte of the tail.</summary>
    public long TailStart { get; }

    /// <summary>The first bytes.</summary>
    public Memory<byte> Head => _head.Memory;

    /// <summary>The last bytes.</summary>
    public Memory<byte> Tail => _tail.Memory;

    /// <summary>Keeps what belongs to the ends, and returns what of it is to be written now.</summary>
    public (ReadOnlyMemory<byte> Bytes, long Start) Take(ReadOnlyMemory<byte> bytes, long start)
    {
        if (start < Size)
        {
            var count = (int)Math.Min(bytes.Length, Size - start);
            bytes[..count].CopyTo(Head[(int)start..]);
            (bytes, start) = (bytes[count..], start + count);
        }
        if (start + bytes.Length > TailStart)
        {
            var first = (int)Math.Max(0, TailStart - start);
            bytes[first..].CopyTo(Tail[(int)(start + first - TailStart)..]);
            bytes = bytes[..first];
        }
        return (bytes, start);
    }
}
