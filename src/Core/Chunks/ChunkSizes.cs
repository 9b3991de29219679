namespace Appliance.Core.Chunks;

/// <summary>
/// How a payload is cut: small chunks inside big chunks, both where the same rolling hash says so, a big one where more of its
/// bits are zero. Minimum and maximum are a quarter and four times the average.
/// </summary>
/// <param name="SmallBits">Binary logarithm of the average small chunk in bytes, 9 to 14.</param>
/// <param name="BigBits">Binary logarithm of the average big chunk in bytes, more than that and up to 17.</param>
public readonly record struct ChunkSizes(int SmallBits, int BigBits)
{
    /// <summary>Largest big chunk under any setting, in bytes.</summary>
    public const int LargestBig = 4 << 17;

    private const int LargestListed = 20;

    /// <summary>Whether the numbers are in their bounds.</summary>
    public bool Valid => SmallBits is >= 9 and <= 14 && BigBits > SmallBits && BigBits <= 17;

    /// <summary>Fewest bytes of a small chunk but the last of a big one that is cut short by its maximum, or the payload's last.</summary>
    public int SmallMin => 1 << (SmallBits - 2);

    /// <summary>Most bytes of a small chunk.</summary>
    public int SmallMax => 4 << SmallBits;

    /// <summary>Fewest bytes of a big chunk but the payload's last.</summary>
    public int BigMin => 1 << (BigBits - 3);

    /// <summary>Most bytes of a big chunk.</summary>
    public int BigMax => 4 << BigBits;

    /// <summary>Bits of the rolling hash that are zero at the end of a small chunk.</summary>
    internal ulong SmallMask => ((1UL << SmallBits) - 1) << (64 - SmallBits);

    /// <summary>Bits that are zero at the end of a big chunk.</summary>
    internal ulong BigMask => ((1UL << BigBits) - 1) << (64 - BigBits);

    /// <summary>The setting for a payload: small chunks grow with it so that about a million of them stay, and the client's tables with them.</summary>
    /// <param name="payload">Bytes of the payload.</param>
    public static ChunkSizes For(long payload)
    {
        var bits = 10;
        while (bits < 14 && payload >> bits > 1 << LargestListed) bits++;
        return new ChunkSizes(bits, Math.Min(bits + 6, 17));
    }
}
