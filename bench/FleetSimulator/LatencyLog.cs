using System.Diagnostics;

namespace Appliance.FleetSimulator;

/// <summary>How long answers took. Buckets grow by a fiftieth, so a percentile is off by two percent at most.</summary>
internal sealed class LatencyLog
{
    private const double Growth = 1.02, Smallest = 0.05; // ms
    private const int Buckets = 800;
    private readonly long[] _counts = new long[Buckets];

    /// <summary>Answers.</summary>
    public long Count => _counts.Sum();

    /// <summary>Notes an answer that came after so long.</summary>
    public void Note(long since)
    {
        var milliseconds = Stopwatch.GetElapsedTime(since).TotalMilliseconds;
        var bucket = milliseconds <= Smallest ? 0 : Math.Min(Buckets - 1, (int)(Math.Log(milliseconds / Smallest) / Math.Log(Growth)));
        Interlocked.Increment(ref _counts[bucket]);
    }

    /// <summary>The time within which a share of the answers came, in milliseconds.</summary>
    public double Percentile(double share)
    {
        var wanted = (long)Math.Ceiling(Count * share);
        long seen = 0;
        for (var bucket = 0; bucket < Buckets; bucket++)
            if ((seen += _counts[bucket]) >= wanted) return Smallest * Math.Pow(Growth, bucket + 1);
        return 0;
    }
}
