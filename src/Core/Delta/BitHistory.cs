namespace Appliance.Core.Delta;

/// <summary>
/// The states of a bit history in one byte: how often 0 and 1 followed a context, small counts exactly, with the older
/// evidence fading when the contrary happens. The states are enumerated here, once, by rule.
/// </summary>
internal static class BitHistory
{
    /// <summary>The most a count may be while the other is 0, 1, 2, …</summary>
    private static readonly int[] Most = [48, 32, 16, 10, 8, 7, 7, 7];

    private static readonly (int Zeros, int Ones)[] States = Enumerate();
    private static readonly byte[] Following = MakeFollowing();

    /// <summary>The state after a bit.</summary>
    public static byte After(byte state, int bit) => Following[(state << 1) | bit];

    /// <summary>How much evidence a state holds; the least is replaced first.</summary>
    public static int Weight(byte state) => state < States.Length ? States[state].Zeros + States[state].Ones : 0;

    /// <summary>A counter for each state that starts with what the counts say.</summary>
    public static uint[] NewCounters()
    {
        var counters = NumberModel.NewCounters(256);
        for (var i = 0; i < States.Length; i++)
        {
            var (zeros, ones) = States[i];
            counters[i] = (uint)(((ulong)(ones * 5 + 2) << 22) / (ulong)((zeros + ones) * 5 + 4)) << 10 | 6;
        }
        return counters;
    }

    private static bool Exists(int zeros, int ones) => Math.Min(zeros, ones) < Most.Length && Math.Max(zeros, ones) <= Most[Math.Min(zeros, ones)];

    private static (int, int)[] Enumerate() =>
        [.. from sum in Enumerable.Range(0, 64) from ones in Enumerable.Range(0, sum + 1) where Exists(sum - ones, ones) select (sum - ones, ones)];

    private static byte[] MakeFollowing()
    {
        var index = States.Select((state, i) => (state, i)).ToDictionary(pair => pair.state, pair => (byte)pair.i);
        var following = new byte[512];
        for (var i = 0; i < States.Length; i++)
        {
            following[i << 1] = index[Next(States[i].Zeros, States[i].Ones)];
            var (ones, zeros) = Next(States[i].Ones, States[i].Zeros);
            following[(i << 1) | 1] = index[(zeros, ones)];
        }
        return following;
    }

    /// <summary>The counts after one more of the first kind.</summary>
    private static (int, int) Next(int same, int other)
    {
        same++;
        if (other > 2) other = 2 + (other - 2) / 2;
        while (!Exists(same, other))
        {
            if (same > other || other == 0) same--;
            else other--;
        }
        return (same, other);
    }
}
