using ZstdSharp;

namespace Appliance.Core.Chunks;

/// <summary>
/// What the frame coder expects at the start of a frame, for each kind of frames, learned from the payload and sent once with the
/// index: without it a short frame would spend its bytes on learning.
/// </summary>
public sealed class FramePrimes
{
    private const int Level = 19;
    private const int StepBits = 7;
    private readonly ushort[] _values = new ushort[FrameModel.Sets * FrameModel.Size];

    private FramePrimes()
    {
    }

    /// <summary>Largest packed form in bytes.</summary>
    internal const int LargestPacked = (FrameModel.Sets * FrameModel.Size) + 1024;

    /// <summary>The probabilities of a zero for a kind of frames, in units of 1/<see cref="FrameModel.One"/>.</summary>
    internal ReadOnlySpan<ushort> this[int set] => _values.AsSpan(set * FrameModel.Size, FrameModel.Size);

    /// <summary>Expects nothing in particular.</summary>
    internal static FramePrimes Neutral()
    {
        var primes = new FramePrimes();
        Array.Fill(primes._values, (ushort)(FrameModel.One / 2));
        return primes;
    }

    /// <summary>Learns from how often every decision went which way.</summary>
    internal static FramePrimes FromCounts(FrameCounts counts)
    {
        var primes = new FramePrimes();
        for (var i = 0; i < primes._values.Length; i++)
        {
            var probability = ((counts.Zeros[i] * 5L) + 2) * FrameModel.One / (((counts.Zeros[i] + (long)counts.Ones[i]) * 5) + 4);
            var step = Math.Clamp((probability + (1 << (StepBits - 1))) >> StepBits, 1, byte.MaxValue);
            primes._values[i] = (ushort)(step << StepBits);
        }
        return primes;
    }

    /// <summary>The form the index carries.</summary>
    internal byte[] Pack()
    {
        using var compressor = new Compressor(Level);
        return compressor.Wrap(Array.ConvertAll(_values, value => (byte)(value >> StepBits))).ToArray();
    }

    /// <summary>Reads the form the index carries.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    internal static FramePrimes Unpack(ReadOnlySpan<byte> packed)
    {
        var steps = new byte[FrameModel.Sets * FrameModel.Size];
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
            primes._values[i] = (ushort)(steps[i] << StepBits);
        }
        return primes;
    }
}
