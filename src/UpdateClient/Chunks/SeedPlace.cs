namespace Appliance.UpdateClient.Chunks;

/// <summary>Where a chunk is in the seeds, or that it is nowhere.</summary>
/// <param name="Value">The seed's number in the upper 8 bits, the offset in the others; negative when it is nowhere.</param>
internal readonly record struct SeedPlace(long Value)
{
    private const int OffsetBits = 55;

    public SeedPlace(int seed, long offset)
        : this(((long)seed << OffsetBits) | offset)
    {
    }

    public static SeedPlace None => new(-1);

    public bool Exists => Value >= 0;

    public int Seed => (int)(Value >> OffsetBits);

    public long Offset => Value & ((1L << OffsetBits) - 1);
}
