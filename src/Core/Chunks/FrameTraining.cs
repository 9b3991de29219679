using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Chunks;

/// <summary>Learns from samples of a payload what its frames are like.</summary>
internal static class FrameTraining
{
    private const int Samples = 48;
    private const int Warm = 256 << 10; // strings to find matches in
    private const int Learned = 512 << 10;
    private const int Rounds = 2;

    public static async Task<FramePrimes> LearnAsync(SafeFileHandle file, long length, ChunkSizes sizes, CancellationToken cancellationToken)
    {
        var primes = FramePrimes.Neutral();
        var samples = (int)Math.Clamp(length / (Warm + Learned), 1, Samples);
        for (var round = 0; round < Rounds; round++)
        {
            int[] zeros = new int[FrameModel.Size], ones = new int[FrameModel.Size];
            await Parallel.ForAsync(0, samples, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, (sample, _) =>
            {
                var start = length / samples * sample & ~3L;
                var counts = Count(file, start, (int)Math.Min(Warm + Learned, length - start), sizes, primes);
                lock (zeros)
                {
                    for (var i = 0; i < zeros.Length; i++) (zeros[i], ones[i]) = (zeros[i] + counts.Zeros[i], ones[i] + counts.Ones[i]);
                }
                return ValueTask.CompletedTask;
            });
            primes = FramePrimes.FromCounts(zeros, ones);
        }
        return primes;
    }

    private static (int[] Zeros, int[] Ones) Count(SafeFileHandle file, long start, int length, ChunkSizes sizes, FramePrimes primes)
    {
        var bytes = new byte[length];
        ChunkPublisher.ReadExactly(file, bytes, start);
        var finder = new MatchFinder(bytes, length, length);
        var encoder = new FrameEncoder(bytes, finder, sizes.SmallMax, primes) { Counts = (new int[FrameModel.Size], new int[FrameModel.Size]) };
        var position = 0;
        for (; position < Math.Min(Warm, length / 3); position++) finder.Insert(position, []);
        while (position < length)
        {
            var frame = Gear.Cut(bytes.AsSpan(position), sizes, out _);
            encoder.Encode(position, frame);
            position += frame;
        }
        return encoder.Counts!.Value;
    }
}
