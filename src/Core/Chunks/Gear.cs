using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Appliance.Core.Chunks;

/// <summary>Finds the ends of small chunks with the gear hash (Xia et al., "Ddelta", 2014): a shift and an addition a byte, 64 bytes remembered.</summary>
internal static class Gear
{
    private const int Memory = 64;
    private static readonly ulong[] Table = MakeTable();

    /// <summary>Length of the small chunk at the start of <paramref name="data"/>, which has the rest of the payload or at least the largest chunk.</summary>
    /// <param name="data">The bytes from the chunk's start on.</param>
    /// <param name="sizes">The setting.</param>
    /// <param name="endsBig">Whether the place could end a big chunk.</param>
    public static int Cut(ReadOnlySpan<byte> data, in ChunkSizes sizes, out bool endsBig)
    {
        var end = Math.Min(data.Length, sizes.SmallMax);
        var mask = sizes.SmallMask;
        ref var bytes = ref MemoryMarshal.GetReference(data);
        ref var table = ref MemoryMarshal.GetArrayDataReference(Table);
        ulong hash = 0;
        var i = Math.Max(0, Math.Min(sizes.SmallMin, end) - Memory);
        for (var first = Math.Min(sizes.SmallMin, end); i < first; i++) hash = (hash << 1) + Unsafe.Add(ref table, Unsafe.Add(ref bytes, i));
        for (; i < end; i++)
        {
            hash = (hash << 1) + Unsafe.Add(ref table, Unsafe.Add(ref bytes, i));
            if ((hash & mask) != 0) continue;
            endsBig = (hash & sizes.BigMask) == 0;
            return i + 1;
        }
        endsBig = false;
        return end;
    }

    private static ulong[] MakeTable()
    {
        // SplitMix64 (Steele, Lea, Flood, 2014) from a fixed start: part of the format.
        var table = new ulong[256];
        var state = 0x9E3779B97F4A7C15UL;
        for (var i = 0; i < table.Length; i++)
        {
            state += 0x9E3779B97F4A7C15UL;
            var mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9UL;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBUL;
            table[i] = mixed ^ (mixed >> 31);
        }
        return table;
    }
}
