using Appliance.Core.Chunks;

namespace Appliance.UpdateClient.Chunks;

/// <summary>
/// What of a payload is copied from where, and what is fetched. Its tables are flat and bounded, whatever the payload's size: what
/// would take more of them is left to the other ways.
/// </summary>
internal sealed class ChunkPlan
{
    /// <summary>Bytes of memory for the tables, those of <see cref="SeedScan"/> and <see cref="ChunkIndex"/> included; and what a big chunk takes of them, and a small one that no seed has.</summary>
    private const int Room = 20 << 20, RoomOfBig = 100, RoomOfSmall = 17;

    private const int MostRequests = 100_000;

    private const int MostWanted = 250_000; // beyond, small chunks are fetched without looking: the tables stay small
    private readonly SeedPlace[] _places;
    private readonly List<int> _missing = []; // ascending
    private byte[] _lists = []; // of all that are missing, one after another
    private SeedPlace[] _smallPlaces = [];
    private int[] _listStarts = [], _placeStarts = [];

    private ChunkPlan(ChunkIndex index, int first) => (Index, First, _places) = (index, first, new SeedPlace[index.Count]);

    /// <summary>Whether there is room for the tables.</summary>
    /// <param name="bigs">Number of big chunks.</param>
    /// <param name="smalls">Number of small ones that no seed has.</param>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public static void Require(long bigs, long smalls)
    {
        if ((bigs * RoomOfBig) + (smalls * RoomOfSmall) > Room) throw new InvalidDataException("the payload is too large, or too much of it is missing here, to be put together from chunks");
    }

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
    public MissingChunk? MissingOf(int big) => _missing.BinarySearch(big) is >= 0 and var number ? Missing(number) : null;

    /// <summary>The frames to be fetched from a big chunk on.</summary>
    public RangePlan FramesFrom(int first)
    {
        var ranges = new RangePlan();
        for (var number = 0; number < _missing.Count; number++)
        {
            if (_missing[number] < first) continue;
            var list = ListOf(number);
            var places = Missing(number).Places.Span;
            var offset = list.FrameOffset;
            for (var i = 0; i < list.Count; i++)
            {
                if (!places[i].Exists) ranges.Add(offset, list[i].PackedLength);
                offset += list[i].PackedLength;
            }
            if (ranges.Ranges.Count > MostRequests) throw new InvalidDataException("its chunks would take too many requests");
        }
        return ranges;
    }

    private MissingChunk Missing(int number) =>
        new(_lists.AsMemory(_listStarts[number], _listStarts[number + 1] - _listStarts[number]), _smallPlaces.AsMemory(_placeStarts[number], _placeStarts[number + 1] - _placeStarts[number]));

    private ChunkList ListOf(int number) => ChunkList.Parse(Missing(number).List.Span, Index, _missing[number]);

    private async Task FetchListsAsync(IRepositorySource source, string dataPath, CancellationToken cancellationToken)
    {
        var ranges = new RangePlan();
        for (var big = First; big < Index.Count; big++)
        {
            if (_places[big].Exists) continue;
            ranges.Add(Index.ListOffsetOf(big), Index.ListLengthOf(big));
            _missing.Add(big);
        }
        if (_missing.Count == 0) return;
        MakeTables();
        ListBytes = ranges.Bytes;
        await using var feed = new RangeFeed(source, dataPath, ranges, cancellationToken);
        for (var number = 0; number < _missing.Count; number++)
        {
            var big = _missing[number];
            (await feed.ReadAsync(Index.ListOffsetOf(big), Index.ListLengthOf(big))).CopyTo(_lists.AsMemory(_listStarts[number]));
            ListOf(number);
        }
        CheckFrameOrder();
    }

    private void MakeTables()
    {
        (_listStarts, _placeStarts) = (new int[_missing.Count + 1], new int[_missing.Count + 1]);
        for (var number = 0; number < _missing.Count; number++)
        {
            _listStarts[number + 1] = _listStarts[number] + Index.ListLengthOf(_missing[number]);
            _placeStarts[number + 1] = _placeStarts[number] + Index.CountOf(_missing[number]);
            Require(Index.Count, _placeStarts[number + 1]);
        }
        (_lists, _smallPlaces) = (new byte[_listStarts[^1]], new SeedPlace[_placeStarts[^1]]);
    }

    /// <summary>Frames are asked for in ascending order: lists that overlap or go back are not of one data file.</summary>
    private void CheckFrameOrder()
    {
        long end = 0;
        for (var number = 0; number < _missing.Count; number++)
        {
            var list = ListOf(number);
            if (list.FrameOffset < end) throw new InvalidDataException($"the list of big chunk {_missing[number]} goes back in the data file");
            end = list.FrameOffset;
            for (var i = 0; i < list.Count; i++) end += list[i].PackedLength;
        }
    }

    private void PlaceSmall(SeedScan scan, long written)
    {
        var wanted = new WantedChunks(Math.Min(MostWanted, _smallPlaces.Length));
        for (var missing = 0; missing < _missing.Count; missing++)
        {
            var list = ListOf(missing);
            for (var i = 0; i < list.Count && wanted.Count < MostWanted; i++) wanted.Add(SeedScan.SmallKey(list[i].ShortHash, list[i].Length));
        }
        var found = scan.FindSmall(wanted);
        for (var missing = 0; missing < _missing.Count; missing++)
        {
            var list = ListOf(missing);
            var places = Missing(missing).Places.Span;
            var position = Index.OffsetOf(_missing[missing]);
            for (var i = 0; i < list.Count; i++)
            {
                var chunk = list[i];
                var number = wanted.Find(SeedScan.SmallKey(chunk.ShortHash, chunk.Length));
                places[i] = number >= 0 ? found.For(number, position, chunk.Length, written) : SeedPlace.None;
                position += chunk.Length;
            }
        }
    }
}
