using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Chunks;

/// <summary>Learns from samples of a payload what its frames are like.</summary>
internal static class FrameTraining
{
    private const int Samples = 48;
    private const int Warm = 256 << 10; // strings to find matches in
    private const int Learned = 256 << 10;
    private const int Rounds = 3;
    private const int ElfHeader = 20;
    private const int PageSize = 4096;

    /// <summary>The machine most programs in the samples are for: e_machine of the ELF headers at the start of pages.</summary>
    public static MachineCode FindCode(SafeFileHandle file, long length)
    {
        int x64 = 0, arm64 = 0;
        var bytes = new byte[Warm + Learned];
        foreach (var start in Starts(length))
        {
            var sample = bytes.AsSpan(0, (int)Math.Min(bytes.Length, length - start));
            ChunkPublisher.ReadExactly(file, sample, start);
            for (; sample.Length >= ElfHeader; sample = sample[Math.Min(PageSize, sample.Length)..])
            {
                if (!sample.StartsWith("\u007FELF"u8)) continue;
                var machine = BinaryPrimitives.ReadUInt16LittleEndian(sample[18..]);
                if (machine == 62) x64++;
                else if (machine == 183) arm64++;
            }
        }
        return x64 == 0 && arm64 == 0 ? MachineCode.None : x64 >= arm64 ? MachineCode.X64 : MachineCode.Arm64;
    }

    /// <summary>Learns what every kind of frames starts with. The kinds begin as text, tables and the rest, and then take the frames they suit best.</summary>
    public static async Task<FramePrimes> LearnAsync(SafeFileHandle file, long length, ChunkSizes sizes, MachineCode code, CancellationToken cancellationToken)
    {
        var primes = FramePrimes.Neutral();
        for (var round = 0; round < Rounds; round++)
        {
            var counts = new FrameCounts();
            var first = round == 0;
            await Parallel.ForEachAsync(Starts(length), new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, (start, _) =>
            {
                var sample = Count(file, start, (int)Math.Min(Warm + Learned, length - start), sizes, code, primes, first);
                lock (counts) counts.Add(sample);
                return ValueTask.CompletedTask;
            });
            primes = FramePrimes.FromCounts(counts);
        }
        return primes;
    }

    private static IEnumerable<long> Starts(long length)
    {
        var samples = (int)Math.Clamp(length / (Warm + Learned), 1, Samples);
        return Enumerable.Range(0, samples).Select(sample => (length / samples * sample) & -PageSize);
    }

    private static FrameCounts Count(SafeFileHandle file, long start, int length, ChunkSizes sizes, MachineCode code, FramePrimes primes, bool first)
    {
        var bytes = new byte[length];
        ChunkPublisher.ReadExactly(file, bytes, start);
        var frames = new List<int>();
        for (var at = 0; at < length; at += frames[^1])
        {
            frames.Add(Gear.Cut(bytes.AsSpan(at), sizes, out _));
            AddressFilter.MakeAbsolute(code, bytes.AsSpan(at, frames[^1]), start + at);
        }
        var finder = new MatchFinder(bytes, length, length);
        var encoder = new FrameEncoder(bytes, finder, sizes.SmallMax, primes) { Counts = new FrameCounts() };
        var warm = Math.Min(Warm, length / 3);
        var position = 0;
        foreach (var frame in frames)
        {
            if (position >= warm) encoder.Encode(position, frame, first ? FirstKind(bytes.AsSpan(position, frame)) : null);
            else for (var i = 0; i < frame; i++) finder.Insert(position + i, []);
            position += frame;
        }
        return encoder.Counts;
    }

    private static int FirstKind(ReadOnlySpan<byte> frame)
    {
        int text = 0, zeros = 0;
        foreach (var value in frame)
        {
            if (value is (>= 0x20 and < 0x7F) or (byte)'\n' or (byte)'\t') text++;
            else if (value == 0) zeros++;
        }
        return text > frame.Length * 0.8 ? 0 : zeros > frame.Length * 0.4 ? 1 : 2;
    }
}
