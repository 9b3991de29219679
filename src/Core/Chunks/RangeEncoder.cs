using System.Runtime.CompilerServices;

namespace Appliance.Core.Chunks;

/// <summary>Binary range coder with carry (G. Martin, 1979, in the form of LZMA) over a table of probabilities that adapt.</summary>
internal sealed class RangeEncoder
{
    private byte[] _bytes = new byte[1 << 16];
    private ulong _low;
    private uint _range;
    private byte _held;
    private int _pending;
    private int _count;
    private int _set;

    /// <summary>The probabilities of a zero, in units of 1/<see cref="FrameModel.One"/>.</summary>
    public ushort[] Probabilities { get; } = new ushort[FrameModel.Size];

    /// <summary>Where decisions are counted, or null.</summary>
    public FrameCounts? Counts { get; set; }

    /// <summary>Begins a frame with the given set of expectations.</summary>
    public void Start(FramePrimes primes, int set)
    {
        primes[set].CopyTo(Probabilities);
        _set = set * FrameModel.Size;
        (_low, _range, _held, _pending, _count) = (0, uint.MaxValue, 0, 1, -1); // the first byte put out is always zero and left away
        Direct(set, FrameModel.SetBits);
    }

    public void Bit(int index, int bit)
    {
        if (Counts is { } counts) (bit == 0 ? counts.Zeros : counts.Ones)[_set + index]++;
        ref var probability = ref Probabilities[index];
        var bound = (_range >> 15) * probability;
        if (bit == 0)
        {
            _range = bound;
            probability += (ushort)((FrameModel.One - probability) >> FrameModel.Rate);
        }
        else
        {
            _low += bound;
            _range -= bound;
            probability -= (ushort)(probability >> FrameModel.Rate);
        }
        Normalize();
    }

    public void Direct(int value, int bits)
    {
        for (var i = bits - 1; i >= 0; i--)
        {
            _range >>= 1;
            if (((value >> i) & 1) != 0) _low += _range;
            Normalize();
        }
    }

    public void Tree(int first, int bits, int value)
    {
        var node = 1;
        for (var i = bits - 1; i >= 0; i--)
        {
            var bit = (value >> i) & 1;
            Bit(first + node, bit);
            node = (node << 1) | bit;
        }
    }

    public void ReverseTree(int first, int bits, int value)
    {
        var node = 1;
        for (var i = 0; i < bits; i++)
        {
            var bit = (value >> i) & 1;
            Bit(first + node, bit);
            node = (node << 1) | bit;
        }
    }

    /// <summary>Ends the frame. The bytes are valid until the next one is begun.</summary>
    public ReadOnlySpan<byte> Finish()
    {
        // Of the numbers left, the one with most zeros at its end: they are left away and read as such.
        var end = _low + _range - 1;
        for (var zeros = 31; zeros >= 0; zeros--)
        {
            var mask = (1UL << zeros) - 1;
            var value = (_low + mask) & ~mask;
            if (value > end) continue;
            _low = value;
            break;
        }
        for (var i = 0; i < 5; i++) Shift();
        while (_count > 0 && _bytes[_count - 1] == 0) _count--;
        return _bytes.AsSpan(0, _count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Normalize()
    {
        while (_range < 1u << 24)
        {
            _range <<= 8;
            Shift();
        }
    }

    private void Shift()
    {
        if ((uint)_low < 0xFF000000u || _low >> 32 != 0)
        {
            var carry = (byte)(_low >> 32);
            var held = _held;
            if (_count + _pending >= _bytes.Length) Array.Resize(ref _bytes, (_bytes.Length * 2) + _pending);
            do
            {
                if (_count >= 0) _bytes[_count] = (byte)(held + carry);
                _count++;
                held = 0xFF;
            }
            while (--_pending != 0);
            _held = (byte)(_low >> 24);
        }
        _pending++;
        _low = (uint)_low << 8;
    }
}
