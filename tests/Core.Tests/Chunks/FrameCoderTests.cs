using Appliance.Core.Chunks;
using FsCheck;
using FsCheck.Fluent;

namespace Core.Tests.Chunks;

public sealed class FrameCoderTests
{
    [Fact]
    public void Frames_come_back_the_same() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => RoundTrip(seed)).Check(Config.QuickThrowOnFailure.WithMaxTest(15));

    [Fact]
    public void Frames_of_zeros_take_a_few_bytes()
    {
        var bytes = new byte[4096];
        Assert.InRange(Pack(bytes, 0, 4096, FramePrimes.Neutral()).Length, 1, 60);
    }

    [Fact]
    public void Noise_is_stored_as_it_is()
    {
        var bytes = new byte[4096];
        new Random(1).NextBytes(bytes);
        Assert.Equal(bytes, Pack(bytes, 0, 4096, FramePrimes.Neutral()));
    }

    [Fact]
    public void A_damaged_frame_gives_an_error_or_wrong_bytes_but_nothing_outside_the_frame()
    {
        var bytes = Sample.Payload(3, 40_000);
        var random = new Random(5);
        var decoder = new FrameDecoder(FramePrimes.Neutral());
        for (var run = 0; run < 2_000; run++)
        {
            var (position, length) = (random.Next(4, 30_000) & ~3, random.Next(1, 4096));
            var packed = new byte[random.Next(0, length + 1)];
            random.NextBytes(packed);
            var buffer = (byte[])bytes.Clone();
            try
            {
                decoder.Decode(packed, buffer, position, length);
            }
            catch (InvalidDataException)
            {
            }
            Assert.True(buffer.AsSpan(0, position).SequenceEqual(bytes.AsSpan(0, position)));
            Assert.True(buffer.AsSpan(position + length).SequenceEqual(bytes.AsSpan(position + length)));
        }
    }

    [Fact]
    public void Learned_probabilities_come_back_the_same()
    {
        var random = new Random(2);
        var primes = FramePrimes.FromCounts(Counts(random));
        var back = FramePrimes.Unpack(primes.Pack());
        for (var set = 0; set < FrameModel.Sets; set++) Assert.Equal(primes[set].ToArray(), back[set].ToArray());
    }

    private static FrameCounts Counts(Random random)
    {
        var counts = new FrameCounts();
        foreach (var side in (ReadOnlySpan<int[]>)[counts.Zeros, counts.Ones])
            for (var i = 0; i < side.Length; i++) side[i] = random.Next(1 << random.Next(30));
        return counts;
    }

    private static void RoundTrip(int seed)
    {
        var random = new Random(seed);
        var bytes = Sample.Payload(seed, random.Next(1, 60_000));
        var primes = random.Next(2) == 0 ? FramePrimes.Neutral() : FramePrimes.FromCounts(Counts(random));
        var finder = new MatchFinder(bytes, bytes.Length, 1 << 16);
        var encoder = new FrameEncoder(bytes, finder, 4096, primes);
        var decoder = new FrameDecoder(primes);
        var target = new byte[bytes.Length];
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(random.Next(1, 4097), bytes.Length - at);
            var packed = encoder.Encode(at, length);
            Assert.InRange(packed.Length, 1, length);
            decoder.Decode(packed, target, at, length);
            Assert.True(target.AsSpan(at, length).SequenceEqual(bytes.AsSpan(at, length)), $"frame at {at}, seed {seed}");
            at += length;
        }
    }

    private static byte[] Pack(byte[] bytes, int start, int length, FramePrimes primes) =>
        new FrameEncoder(bytes, new MatchFinder(bytes, bytes.Length, 1 << 16), length, primes).Encode(start, length).ToArray();
}
