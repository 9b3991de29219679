using ZstdSharp;

namespace Appliance.Core.Chunks;

/// <summary>
/// What the frame coder expects at the start of every frame, learned from the payload and sent once with the index: without it
/// a short frame would spend its bytes on learning.
/// </summary>
public sealed class FramePrimes
{
    private const int Level = 19;
    private const int StepBits = 7;
    internal readonly ushort[] Values = new ushort[FrameModel.Size];

    private FramePrimes()
    {
    }

    /// <summary>Largest packed form in bytes.</summary>
    internal const int LargestPacked = FrameModel.Size + 1024;

    /// <summary>Expects nothing in particular.</summary>
    internal static FramePrimes Neutral()
    {
        var primes = new FramePrimes();
        Array.Fill(primes.Values, (ushort)(FrameModel.One / 2));
        return primes;
    }

    /// <summary>Learns from how often every decision went which way.</summary>
    internal static FramePrimes FromCounts(ReadOnlySpan<int> zeros, ReadOnlySpan<int> ones)
    {
        var primes = new FramePrimes();
        for (var i = 0; i < primes.Values.Length; i++)
        {
            var probability = ((zeros[i] * 5L) + 2) * FrameModel.One / (((zeros[i] + (long)ones[i]) * 5) + 4);
            var step = Math.Clamp((probability + (1 << (StepBits - 1))) >> StepBits, 1, byte.MaxValue);
            primes.Values[i] = (ushort)(step << StepBits);
        }
        return primes;
    }

    /// <summary>The form the index carries.</summary>
    internal byte[] Pack()
    {
        using var compressor = new Compressor(Level);
        return compressor.Wrap(Array.ConvertAll(Values, value => (byte)(value >> StepBits))).ToArray();
    }

    /// <summary>Reads the form the index carries.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    internal static FramePrimes Unpack(ReadOnlySpan<byte> packed)
    {
        var steps = new byte[FrameModel.Size];
        using var decompressor = new Decompressor();
        try
        {
            if (decompressor.Unwrap(packed, steps) != steps.Length) throw new InvalidDataException("the chunk index has too few probabilities");
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException("the chunk index's probabilities are damaged", e);
        }
        var primes = new FramePrimes();
        for (var i = 0; i < steps.Length; i++)
        {
            if (steps[i] == 0) throw new InvalidDataException("the chunk index has an impossible probability");
            primes.Values[i] = (ushort)(steps[i] << StepBits);
        }
        return primes;
    }
}
