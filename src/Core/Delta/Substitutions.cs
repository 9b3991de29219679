namespace Appliance.Core.Delta;

/// <summary>
/// Remembers what became of a value: the 32-bit word that replaced an old word last time, and how often in a row. Identifiers,
/// checksums and indexes that a new build renumbers are replaced alike wherever they stand.
/// </summary>
internal sealed class Substitutions(int bits)
{
    /// <summary>Trust is counted up to this.</summary>
    public const int MostTrust = 7;

    private readonly ulong[] _entries = new ulong[1 << bits]; // replacement : 32, check : 24, trust : 8
    private readonly int _shift = 64 - bits;
    private readonly ulong[] _replaced = new ulong[1 << 14]; // a bit for every key that ever became something else

    /// <summary>Whether a word may be known to become another; cheap, and wrong only by saying yes.</summary>
    public bool MayReplace(uint word)
    {
        var bit = Bit(word);
        return (_replaced[bit >> 6] >> (int)(bit & 63) & 1) != 0;
    }

    /// <summary>The replacement expected for a key, and how far to trust it; trust 0 means nothing is known.</summary>
    public (uint Word, int Trust) Find(ulong key)
    {
        var hash = key * 0x9E3779B97F4A7C15ul;
        var entry = _entries[hash >> _shift];
        return ((entry >> 8) & 0xFFFFFF) == (hash & 0xFFFFFF) ? ((uint)(entry >> 32), (int)(entry & 0xFF)) : (0, 0);
    }

    /// <summary>Remembers a replacement.</summary>
    public void Learn(ulong key, uint word)
    {
        if (key != word) _replaced[Bit((uint)key) >> 6] |= 1ul << (int)(Bit((uint)key) & 63);
        var hash = key * 0x9E3779B97F4A7C15ul;
        ref var entry = ref _entries[hash >> _shift];
        var trust = entry & 0xFF;
        if (((entry >> 8) & 0xFFFFFF) != (hash & 0xFFFFFF) || (uint)(entry >> 32) != word)
        {
            // A value seen once gives way at once; one that was right for long loses trust first.
            if (trust > 2 && ((entry >> 8) & 0xFFFFFF) == (hash & 0xFFFFFF)) entry = (entry & ~0xFFul) | (trust >> 1);
            else entry = ((ulong)word << 32) | ((hash & 0xFFFFFF) << 8) | 1;
        }
        else if (trust < MostTrust)
        {
            entry++;
        }
    }

    private static uint Bit(uint word) => (word * 0x9E3779B1u) >> 12;
}
