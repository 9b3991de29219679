using System.Numerics;

namespace Appliance.Core.Delta;

/// <summary>Codes numbers whose magnitude is learned: the count of their bits, then the bits, the upper ones with expectations.</summary>
internal sealed class NumberModel
{
    private const int Limit = 60, LearnedBits = 3;
    private readonly uint[] _magnitude = NewCounters(64 * 2);
    private readonly uint[] _bits = NewCounters(64 << LearnedBits);

    /// <summary>Codes a number up to 2^62.</summary>
    public long Code<TCoder>(ref TCoder coder, long value) where TCoder : struct, IBitCoder
    {
        var magnitude = BitOperations.Log2((ulong)value + 1);
        var at = 0;
        while (at < 62 && Decide(ref coder, ref _magnitude[at], at < magnitude ? 1 : 0) != 0) at++;
        var number = 1ul;
        for (var left = at - 1; left >= 0; left--)
        {
            var bit = (int)(((ulong)value + 1) >> left) & 1;
            var depth = at - 1 - left;
            bit = depth < LearnedBits ? Decide(ref coder, ref _bits[(at << LearnedBits) + (int)(number & ((1u << LearnedBits) - 1))], bit) : coder.Code(bit, 32768);
            number = (number << 1) | (uint)bit;
        }
        return (long)(number - 1);
    }

    /// <summary>Codes a number of either sign.</summary>
    public long CodeSigned<TCoder>(ref TCoder coder, long value) where TCoder : struct, IBitCoder
    {
        var folded = Code(ref coder, value >= 0 ? value << 1 : (~value << 1) | 1);
        return (folded & 1) == 0 ? folded >> 1 : ~(folded >> 1);
    }

    /// <summary>Counters that know nothing.</summary>
    public static uint[] NewCounters(int count)
    {
        var counters = new uint[count];
        Array.Fill(counters, Probability.Unknown);
        return counters;
    }

    private static int Decide<TCoder>(ref TCoder coder, ref uint counter, int bit) where TCoder : struct, IBitCoder
    {
        bit = coder.Code(bit, Probability.Of(counter));
        Probability.Update(ref counter, bit, Limit);
        return bit;
    }
}
