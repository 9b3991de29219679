using System.Runtime.CompilerServices;

namespace Appliance.Core.Delta;

/// <summary>
/// The arithmetic of adaptive binary models, in integers only so that every machine computes the same. A counter holds a
/// probability in its upper 22 bits and how often it was asked in the lower 10.
/// </summary>
internal static class Probability
{
    /// <summary>A counter that knows nothing.</summary>
    public const uint Unknown = 1u << 31;

    /// <summary>Bound of <see cref="Stretch"/>: ±9 in units of 1/256.</summary>
    public const int Bound = 2304;

    private static readonly short[] Stretched = MakeStretched();
    private static readonly ushort[] Squashed = MakeSquashed();
    private static readonly int[] Rates = MakeRates();

    /// <summary>Logarithm of the odds of a counter's probability.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Stretch(uint counter) => Stretched[counter >> 20];

    /// <summary>The probability in units of 1/65536 of a logarithm of odds, which is bounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Squash(int odds) => Squashed[Math.Clamp(odds, -Bound, Bound) + Bound];

    /// <summary>A counter's probability in units of 1/65536, never certain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Of(uint counter) => Math.Clamp((int)(counter >> 16), 1, 65535);

    /// <summary>Moves a counter toward what happened: fast at first, then by one part in <paramref name="limit"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Update(ref uint counter, int bit, int limit)
    {
        var value = counter;
        var count = (int)(value & 1023);
        var probability = (int)(value >> 10);
        probability += (int)(((long)((bit << 22) - probability) * Rates[count]) >> 16);
        probability = Math.Clamp(probability, 0, (1 << 22) - 1);
        counter = ((uint)probability << 10) | (uint)(count < limit ? count + 1 : count);
    }

    private static int[] MakeRates() => Enumerable.Range(0, 1024).Select(count => 65536 * 2 / (2 * count + 3)).ToArray();

    private static short[] MakeStretched()
    {
        // The inverse of the squashing table, so that both are integers on every machine.
        var table = new short[4096];
        var squashed = MakeSquashed();
        var odds = -Bound;
        for (var i = 0; i < table.Length; i++)
        {
            while (odds < Bound && squashed[odds + Bound] < i * 16 + 8) odds++;
            table[i] = (short)odds;
        }
        return table;
    }

    private static ushort[] MakeSquashed()
    {
        // 65536 / (1 + e^(-x/256)) by a recurrence in fixed point: e^(1/256) = 1.00391388933834757…
        var table = new ushort[2 * Bound + 1];
        const ulong one = 1ul << 32, factor = 4311777323; // e^(1/256) in units of 2^-32
        var power = one; // e^(i/256)
        for (var i = 0; i <= Bound; i++)
        {
            var upper = (UInt128)65536 * power / (power + one);
            table[Bound + i] = (ushort)Math.Min(65535, (ulong)upper);
            table[Bound - i] = (ushort)Math.Max(1, 65536 - (int)upper);
            power = (ulong)(((UInt128)power * factor) >> 32);
        }
        return table;
    }
}
