using Appliance.Core.Chunks;

namespace Appliance.UpdateClient.Chunks;

/// <summary>One pass over the seeds: finds the big chunks of an index and remembers every small chunk's hash and length, six bytes each.</summary>
internal sealed class SeedScan
{
    private const int BlockSize = 1 << 16;
    private const int MostRemembered = 2 << 20;
    private readonly ChunkIndex _index;
    private readonly IReadOnlyList<ChunkSeed> _seeds;
    private readonly WantedChunks _bigs;
    private readonly FoundPlaces _places;
    private readonly List<(uint[] Hashes, ushort[] Lengths)>[] _small;
    private readonly int[] _smallCounts;

    private SeedScan(ChunkIndex index, IReadOnlyList<ChunkSeed> seeds)
    {
        (_index, _seeds) = (index, seeds);
        _bigs = new WantedChunks(index.Count);
        for (var i = 0; i < index.Count; i++) _bigs.Add(index.HashOf(i));
        _places = new FoundPlaces(_bigs.Count);
        _small = Enumerable.Range(0, seeds.Count).Select(_ => new List<(uint[], ushort[])>()).ToArray();
        _smallCounts = new int[seeds.Count];
    }

    /// <summary>Reads the seeds, all at the same time.</summary>
    /// <param name="index">What to look for.</param>
    /// <param name="seeds">Where.</param>
    /// <param name="progress">Bytes read so far, and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<SeedScan> RunAsync(ChunkIndex index, IReadOnlyList<ChunkSeed> seeds, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        var scan = new SeedScan(index, seeds);
        long done = 0, total = seeds.Sum(seed => seed.Length);
        await Task.WhenAll(Enumerable.Range(0, seeds.Count).Select(seed => Task.Run(() => scan.Read(seed, bytes => progress?.Invoke(Interlocked.Add(ref done, bytes), total), cancellationToken), cancellationToken)));
        return scan;
    }

    /// <summary>Where a big chunk can be copied from.</summary>
    public SeedPlace PlaceOf(int big, long written) => _places.For(_bigs.Find(_index.HashOf(big)), _index.OffsetOf(big), _index.LengthOf(big), written);

    /// <summary>Looks for small chunks among those remembered.</summary>
    /// <param name="wanted">Keys as <see cref="SmallKey"/> makes them.</param>
    public FoundPlaces FindSmall(WantedChunks wanted)
    {
        var places = new FoundPlaces(wanted.Count);
        for (var seed = 0; seed < _seeds.Count; seed++)
        {
            long offset = 0;
            for (var i = 0; i < _smallCounts[seed]; i++)
            {
                var (hashes, lengths) = _small[seed][i / BlockSize];
                var length = lengths[i % BlockSize] + 1;
                if (wanted.Find(SmallKey(hashes[i % BlockSize], length)) is >= 0 and var number) places.Add(number, seed, _seeds[seed].IsTarget, offset);
                offset += length;
            }
        }
        return places;
    }

    /// <summary>What a small chunk is looked up by.</summary>
    public static ulong SmallKey(uint hash, int length) => ((ulong)length << 32) | hash;

    private void Read(int number, Action<long> progress, CancellationToken cancellationToken)
    {
        var seed = _seeds[number];
        var scanner = new ChunkScanner(seed.File, seed.Length, _index.Sizes, tolerant: true);
        var most = MostRemembered / _seeds.Count;
        try
        {
            while (scanner.MoveNext())
            {
                if (_smallCounts[number] < most) Remember(number, ChunkScanner.ShortHash(scanner.Bytes), scanner.Length);
                if (!scanner.EndsBig) continue;
                cancellationToken.ThrowIfCancellationRequested();
                if (_bigs.Find(ChunkScanner.Hash(scanner.BigBytes)) is >= 0 and var big)
                {
                    lock (_places) _places.Add(big, number, seed.IsTarget, scanner.BigOffset);
                }
                progress(scanner.BigLength);
            }
        }
        catch (IOException)
        {
            // A slot that cannot be read is no use beyond this place; what is missing is fetched.
        }
    }

    private void Remember(int seed, uint hash, int length)
    {
        var at = _smallCounts[seed]++ % BlockSize;
        if (at == 0) _small[seed].Add((new uint[BlockSize], new ushort[BlockSize]));
        var (hashes, lengths) = _small[seed][^1];
        (hashes[at], lengths[at]) = (hash, (ushort)(length - 1));
    }
}
