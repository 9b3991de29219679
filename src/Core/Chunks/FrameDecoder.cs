using System.Runtime.CompilerServices;

namespace Appliance.Core.Chunks;

/// <summary>Unpacks frames. A frame may point back to the payload's bytes before it, which the reader has by then, whichever way they came.</summary>
/// <param name="primes">From the index.</param>
internal sealed class FrameDecoder(FramePrimes primes)
{
    private readonly ushort[] _probabilities = new ushort[FrameModel.Size];

    /// <summary>Unpacks one frame into <paramref name="buffer"/>.</summary>
    /// <param name="packed">The frame; as long as the plain bytes when they are stored as they are.</param>
    /// <param name="buffer">Holds the payload's bytes before the frame up to <paramref name="position"/>; gets the frame's.</param>
    /// <param name="position">Where the frame's bytes go; its last two bits are those of the place in the payload.</param>
    /// <param name="length">Plain bytes of the frame.</param>
    /// <exception cref="InvalidDataException">The frame is damaged. What the buffer holds from <paramref name="position"/> on is then undefined.</exception>
    public void Decode(ReadOnlySpan<byte> packed, Span<byte> buffer, int position, int length)
    {
        if (packed.Length == length)
        {
            packed.CopyTo(buffer.Slice(position, length));
            return;
        }
        var run = new Run(packed, _probabilities, buffer[..(position + length)], position);
        run.Decode(primes);
    }

    private ref struct Run
    {
        private readonly ReadOnlySpan<byte> _packed;
        private readonly Span<ushort> _probabilities;
        private readonly Span<byte> _buffer;
        private int _position, _next;
        private uint _range, _code;

        public Run(ReadOnlySpan<byte> packed, Span<ushort> probabilities, Span<byte> buffer, int position)
        {
            _packed = packed;
            _probabilities = probabilities;
            _buffer = buffer;
            _position = position;
            _range = uint.MaxValue;
            for (var i = 0; i < 4; i++) _code = (_code << 8) | Next();
        }

        public void Decode(FramePrimes primes)
        {
            var set = Direct(FrameModel.SetBits);
            if (set >= FrameModel.Sets) throw Damaged();
            primes[set].CopyTo(_probabilities);
            var state = 0;
            int distance0 = 1, distance1 = 2, distance2 = 3, distance3 = 4;
            while (_position < _buffer.Length)
            {
                var place = _position & (FrameModel.Positions - 1);
                if (Bit(FrameModel.IsMatch + (state * FrameModel.Positions) + place) == 0)
                {
                    Literal(state, distance0);
                    state = FrameModel.AfterLiteral(state);
                    continue;
                }
                int length;
                if (Bit(FrameModel.IsRepeat + state) == 0)
                {
                    length = Length(FrameModel.MatchLength, place);
                    (distance3, distance2, distance1) = (distance2, distance1, distance0);
                    distance0 = Distance(length);
                    state = FrameModel.AfterMatch(state);
                }
                else if (Bit(FrameModel.IsRepeat0 + state) == 0)
                {
                    if (Bit(FrameModel.IsLongRepeat0 + (state * FrameModel.Positions) + place) == 0)
                    {
                        Copy(distance0, 1);
                        state = FrameModel.AfterShortRepeat(state);
                        continue;
                    }
                    length = Length(FrameModel.RepeatLength, place);
                    state = FrameModel.AfterRepeat(state);
                }
                else
                {
                    if (Bit(FrameModel.IsRepeat1 + state) == 0) (distance0, distance1) = (distance1, distance0);
                    else if (Bit(FrameModel.IsRepeat2 + state) == 0) (distance0, distance1, distance2) = (distance2, distance0, distance1);
                    else (distance0, distance1, distance2, distance3) = (distance3, distance0, distance1, distance2);
                    length = Length(FrameModel.RepeatLength, place);
                    state = FrameModel.AfterRepeat(state);
                }
                Copy(distance0, length);
            }
        }

        private void Literal(int state, int distance)
        {
            var first = FrameModel.LiteralAfter(_position > 0 ? _buffer[_position - 1] : (byte)0);
            var symbol = 1;
            if (!FrameModel.IsLiteralState(state))
            {
                // The byte that would have continued the match is most likely wrong; its bits are context until the first that differs.
                if ((uint)distance > (uint)_position) throw Damaged();
                int other = _buffer[_position - distance];
                while (symbol < 0x100)
                {
                    var expected = (other >> 7) & 1;
                    other <<= 1;
                    var bit = Bit(first + ((1 + expected) << 8) + symbol);
                    symbol = (symbol << 1) | bit;
                    if (bit != expected) break;
                }
            }
            while (symbol < 0x100) symbol = (symbol << 1) | Bit(first + symbol);
            _buffer[_position++] = (byte)symbol;
        }

        private void Copy(int distance, int length)
        {
            if ((uint)(distance - 1) >= (uint)_position || length > _buffer.Length - _position) throw Damaged();
            var from = _position - distance;
            if (distance >= length) _buffer.Slice(from, length).CopyTo(_buffer[_position..]);
            else for (var i = 0; i < length; i++) _buffer[_position + i] = _buffer[from + i];
            _position += length;
        }

        private int Length(int model, int place)
        {
            if (Bit(model) == 0) return FrameModel.MinMatch + Tree(model + FrameModel.LengthLow + (place * 8), 3);
            if (Bit(model + 1) == 0) return FrameModel.MinMatch + 8 + Tree(model + FrameModel.LengthMiddle + (place * 8), 3);
            return FrameModel.MinMatch + 16 + Tree(model + FrameModel.LengthHigh, 8);
        }

        private int Distance(int length)
        {
            var slot = Tree(FrameModel.DistanceSlot + (FrameModel.LengthContext(length) * 64), 6);
            if (slot < 4) return slot + 1;
            var bits = (slot >> 1) - 1;
            long first = (2L | (uint)(slot & 1)) << bits;
            if (first > int.MaxValue / 2) throw Damaged();
            var distance = (int)first;
            if (slot < FrameModel.FirstAlignedSlot) return distance + ReverseTree(FrameModel.DistanceSpecial + distance - slot - 1, bits) + 1;
            distance += Direct(bits - FrameModel.AlignBits) << FrameModel.AlignBits;
            return distance + ReverseTree(FrameModel.DistanceAlign, FrameModel.AlignBits) + 1;
        }

        private int Tree(int first, int bits)
        {
            var node = 1;
            for (var i = 0; i < bits; i++) node = (node << 1) | Bit(first + node);
            return node - (1 << bits);
        }

        private int ReverseTree(int first, int bits)
        {
            int node = 1, value = 0;
            for (var i = 0; i < bits; i++)
            {
                var bit = Bit(first + node);
                node = (node << 1) | bit;
                value |= bit << i;
            }
            return value;
        }

        private int Direct(int bits)
        {
            var value = 0;
            for (; bits > 0; bits--)
            {
                _range >>= 1;
                var bit = _code >= _range ? 1 : 0;
                if (bit != 0) _code -= _range;
                value = (value << 1) | bit;
                Normalize();
            }
            return value;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private int Bit(int index)
        {
            ref var probability = ref _probabilities[index];
            var bound = (_range >> 15) * probability;
            int bit;
            if (_code < bound)
            {
                _range = bound;
                probability += (ushort)((FrameModel.One - probability) >> FrameModel.Rate);
                bit = 0;
            }
            else
            {
                _code -= bound;
                _range -= bound;
                probability -= (ushort)(probability >> FrameModel.Rate);
                bit = 1;
            }
            Normalize();
            return bit;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Normalize()
        {
            while (_range < 1u << 24)
            {
                _range <<= 8;
                _code = (_code << 8) | Next();
            }
        }

        // The encoder leaves out zeros at the end. Reading on forever is bounded by the frame's plain length.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private uint Next() => _next < _packed.Length ? _packed[_next++] : 0u;

        private static InvalidDataException Damaged() => new("a frame is damaged");
    }
}
