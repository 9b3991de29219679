using System.Numerics;
using System.Runtime.CompilerServices;

namespace Appliance.Core.Chunks;

/// <summary>What decisions cost at the start of a frame, in 1/64 bit.</summary>
internal sealed class FramePrices
{
    private const int UnitBits = 6;
    private const int Coarse = 4;
    private const int LengthsSize = FrameModel.MaxMatch + 1;
    private static readonly int[] Bits = MakeBits();
    private readonly ushort[] _probabilities;
    private readonly int[] _matchLengths = new int[FrameModel.Positions * LengthsSize], _repeatLengths = new int[FrameModel.Positions * LengthsSize];
    private readonly int[] _slots = new int[FrameModel.LengthContexts * 64];
    private readonly int[] _special = new int[FrameModel.SpecialDistances];
    private readonly int[] _aligned = new int[1 << FrameModel.AlignBits];

    public FramePrices(ReadOnlySpan<ushort> probabilities)
    {
        _probabilities = probabilities.ToArray();
        for (var place = 0; place < FrameModel.Positions; place++)
            for (var length = FrameModel.MinMatch; length <= FrameModel.MaxMatch; length++)
            {
                _matchLengths[(place * LengthsSize) + length] = Length(FrameModel.MatchLength, place, length - FrameModel.MinMatch);
                _repeatLengths[(place * LengthsSize) + length] = Length(FrameModel.RepeatLength, place, length - FrameModel.MinMatch);
            }
        for (var i = 0; i < _slots.Length; i++)
        {
            var slot = i & 63;
            _slots[i] = Tree(FrameModel.DistanceSlot + (i & ~63), 6, slot) + (slot < FrameModel.FirstAlignedSlot ? 0 : ((slot >> 1) - 1 - FrameModel.AlignBits) << UnitBits);
        }
        for (var distance = 4; distance < FrameModel.SpecialDistances; distance++)
        {
            var (slot, bits, first) = Split(distance);
            _special[distance] = ReverseTree(FrameModel.DistanceSpecial + first - slot - 1, bits, distance - first);
        }
        for (var i = 0; i < _aligned.Length; i++) _aligned[i] = ReverseTree(FrameModel.DistanceAlign, FrameModel.AlignBits, i);
    }

    /// <summary>Slot, bits below it, and first value of the slot for a distance less one that is at least four.</summary>
    public static (int Slot, int Bits, int First) Split(int distance)
    {
        var top = BitOperations.Log2((uint)distance);
        var half = (distance >> (top - 1)) & 1;
        return ((top << 1) | half, top - 1, (2 | half) << (top - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Zero(int index) => Bits[_probabilities[index] >> Coarse];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int One(int index) => Bits[(FrameModel.One - _probabilities[index]) >> Coarse];

    public int MatchLength(int place, int length) => _matchLengths[(place * LengthsSize) + length];

    public int RepeatLength(int place, int length) => _repeatLengths[(place * LengthsSize) + length];

    public int Distance(int length, int distance)
    {
        distance--;
        var slots = FrameModel.LengthContext(length) * 64;
        if (distance < 4) return _slots[slots + distance];
        var price = _slots[slots + Split(distance).Slot];
        return price + (distance < FrameModel.SpecialDistances ? _special[distance] : _aligned[distance & (_aligned.Length - 1)]);
    }

    public int Literal(byte previous, byte value)
    {
        var first = FrameModel.LiteralAfter(previous);
        return Tree(first, 8, value);
    }

    public int LiteralAfterMatch(byte previous, byte value, byte expected)
    {
        var first = FrameModel.LiteralAfter(previous);
        int price = 0, node = 1;
        var same = true;
        for (var i = 7; i >= 0; i--)
        {
            int bit = (value >> i) & 1, other = (expected >> i) & 1;
            price += Bit(same ? first + ((1 + other) << 8) + node : first + node, bit);
            node = (node << 1) | bit;
            same &= bit == other;
        }
        return price;
    }

    private int Length(int model, int place, int length) => length switch
    {
        < 8 => Zero(model) + Tree(model + FrameModel.LengthLow + (place * 8), 3, length),
        < 16 => One(model) + Zero(model + 1) + Tree(model + FrameModel.LengthMiddle + (place * 8), 3, length - 8),
        _ => One(model) + One(model + 1) + Tree(model + FrameModel.LengthHigh, 8, length - 16),
    };

    private int Tree(int first, int bits, int value)
    {
        int price = 0, node = 1;
        for (var i = bits - 1; i >= 0; i--)
        {
            var bit = (value >> i) & 1;
            price += Bit(first + node, bit);
            node = (node << 1) | bit;
        }
        return price;
    }

    private int ReverseTree(int first, int bits, int value)
    {
        int price = 0, node = 1;
        for (var i = 0; i < bits; i++)
        {
            var bit = (value >> i) & 1;
            price += Bit(first + node, bit);
            node = (node << 1) | bit;
        }
        return price;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Bit(int index, int bit) => bit == 0 ? Zero(index) : One(index);

    private static int[] MakeBits()
    {
        // Logarithms by squaring, in integers, so that every machine parses the same.
        var table = new int[(FrameModel.One >> Coarse) + 1];
        for (var i = 0; i < table.Length; i++)
        {
            var value = (ulong)((i << Coarse) + (1 << (Coarse - 1)));
            var bits = 0;
            for (var step = 0; step < UnitBits; step++)
            {
                value *= value;
                bits <<= 1;
                while (value >= 1 << 16)
                {
                    value >>= 1;
                    bits++;
                }
            }
            table[i] = Math.Max(1, (15 << UnitBits) - 15 - bits);
        }
        return table;
    }
}
