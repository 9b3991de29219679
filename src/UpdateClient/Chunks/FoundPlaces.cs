namespace Appliance.UpdateClient.Chunks;

/// <summary>
/// Where wanted chunks were found. In seeds that do not change one place is as good as another. In the target only the last
/// place counts, because what lies before the place a chunk is written to is gone by then, and the first, because what was
/// written before a resume stays.
/// </summary>
internal sealed class FoundPlaces
{
    private readonly long[] _elsewhere, _firstInTarget, _lastInTarget;
    private int _target;

    public FoundPlaces(int count)
    {
        _elsewhere = new long[count];
        _firstInTarget = new long[count];
        _lastInTarget = new long[count];
        foreach (var places in (ReadOnlySpan<long[]>)[_elsewhere, _firstInTarget, _lastInTarget]) Array.Fill(places, -1);
    }

    /// <summary>Takes a place; places of a seed come in ascending order.</summary>
    public void Add(int wanted, int seed, bool isTarget, long offset)
    {
        if (!isTarget)
        {
            if (_elsewhere[wanted] < 0) _elsewhere[wanted] = new SeedPlace(seed, offset).Value;
            return;
        }
        _target = seed;
        if (_firstInTarget[wanted] < 0) _firstInTarget[wanted] = offset;
        _lastInTarget[wanted] = offset;
    }

    /// <summary>A place that still has the chunk when it is its turn.</summary>
    /// <param name="wanted">Number of the wanted chunk.</param>
    /// <param name="position">Where it goes.</param>
    /// <param name="length">Its length.</param>
    /// <param name="written">Bytes of the target that are written already and stay.</param>
    public SeedPlace For(int wanted, long position, int length, long written)
    {
        if (_elsewhere[wanted] >= 0) return new SeedPlace(_elsewhere[wanted]);
        if (_firstInTarget[wanted] < 0) return SeedPlace.None;
        if (_lastInTarget[wanted] >= position) return new SeedPlace(_target, _lastInTarget[wanted]);
        return _firstInTarget[wanted] + length <= written ? new SeedPlace(_target, _firstInTarget[wanted]) : SeedPlace.None;
    }
}
