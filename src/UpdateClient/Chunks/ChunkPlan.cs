using Appliance.Core.Chunks;

namespace Appliance.UpdateClient.Chunks;

/// <summary>What of a payload is copied from where, and what is fetched.</summary>
internal sealed class ChunkPlan
{
    private const int MostWanted = 250_000; // beyond, small chunks are fetched without looking: the tables stay small
    private readonly SeedPlace[] _places;
    private readonly Dictionary<int, MissingChunk> _missing = [];

    private ChunkPlan(ChunkIndex index, int first) => (Index, First, _places) = (index, first, new SeedPlace[index.Count]);

    /// <summary>The payload's index.</summary>
    public ChunkIndex Index { get; }

    /// <summary>The first big chunk that is planned.</summary>
    public int First { get; }

    /// <summary>Bytes that were fetched to make the plan, beside the index.</summary>
    public long ListBytes { get; private set; }

    /// <summary>Makes a plan.</summary>
    /// <param name="index">The payload's index.</param>
    /// <param name="scan">What the seeds have.</param>
    /// <param name="source">Gives the lists.</param>
    /// <param name="dataPath">Path of the data file.</param>
    /// <param name="written">Bytes of the payload that are in the target already.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<ChunkPlan> MakeAsync(ChunkIndex index, SeedScan scan, IRepositorySource source, string dataPath, long written, CancellationToken cancellationToken)
    {
        var plan = new ChunkPlan(index, index.Find(written));
        for (var big = plan.First; big < index.Count; big++) plan._places[big] = scan.PlaceOf(big, written);
        await plan.FetchListsAsync(source, dataPath, cancellationToken);
        plan.PlaceSmall(scan, written);
        return plan;
    }

    /// <summary>Where a big chunk can be copied from.</summary>
    public SeedPlace PlaceOf(int big) => _places[big];

    /// <summary>What is known of a big chunk no seed has.</summary>
    public MissingChunk? MissingOf(int big) => _missing.GetValueOrDefault(big);

    /// <summary>The frames to be fetched from a big chunk on.</summary>
    public RangePlan FramesFrom(int first)
    {
        var ranges = new RangePlan();
        for (var big = first; big < Index.Count; big++)
        {
            if (!_missing.TryGetValue(big, out var missing)) continue;
            var list = ChunkList.Parse(missing.List, Index, big);
            var offset = list.FrameOffset;
            for (var i = 0; i < list.Count; i++)
            {
                if (!missing.Places[i].Exists) ranges.Add(offset, list[i].PackedLength);
                offset += list[i].PackedLength;
            }
        }
        return ranges;
    }

    private async Task FetchListsAsync(IRepositorySource source, string dataPath, CancellationToken cancellationToken)
    {
        var ranges = new RangePlan();
        for (var big = First; big < Index.Count; big++)
        {
            if (!_places[big].Exists) ranges.Add(Index.ListOffsetOf(big), Index.ListLengthOf(big));
        }
        if (ranges.Ranges.Count == 0) return;
        ListBytes = ranges.Bytes;
        await using var feed = new RangeFeed(source, dataPath, ranges, cancellationToken);
        for (var big = First; big < Index.Count; big++)
        {
            if (_places[big].Exists) continue;
            var list = (await feed.ReadAsync(Index.ListOffsetOf(big), Index.ListLengthOf(big))).ToArray();
            ChunkList.Parse(list, Index, big);
            _missing.Add(big, new MissingChunk(list, new SeedPlace[Index.CountOf(big)]));
        }
        CheckFrameOrder();
    }

    /// <summary>Frames are asked for in ascending order: lists that overlap or go back are not of one data file.</summary>
    private void CheckFrameOrder()
    {
        long end = 0;
        foreach (var (big, missing) in _missing)
        {
            var list = ChunkList.Parse(missing.List, Index, big);
            if (list.FrameOffset < end) throw new InvalidDataException($"the list of big chunk {big} goes back in the data file");
            end = list.FrameOffset;
            for (var i = 0; i < list.Count; i++) end += list[i].PackedLength;
        }
    }

    private void PlaceSmall(SeedScan scan, long written)
    {
        var wanted = new WantedChunks((int)Math.Min(MostWanted, _missing.Sum(pair => (long)pair.Value.Places.Length)));
        foreach (var (big, missing) in _missing)
        {
            var list = ChunkList.Parse(missing.List, Index, big);
            for (var i = 0; i < list.Count && wanted.Count < MostWanted; i++) wanted.Add(SeedScan.SmallKey(list[i].ShortHash, list[i].Length));
        }
        var found = scan.FindSmall(wanted);
        foreach (var (big, missing) in _missing)
        {
            var list = ChunkList.Parse(missing.List, Index, big);
            var position = Index.OffsetOf(big);
            for (var i = 0; i < list.Count; i++)
            {
                var chunk = list[i];
                var number = wanted.Find(SeedScan.SmallKey(chunk.ShortHash, chunk.Length));
                missing.Places[i] = number >= 0 ? found.For(number, position, chunk.Length, written) : SeedPlace.None;
                position += chunk.Length;
            }
        }
    }
}
