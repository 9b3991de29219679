using System.Runtime.CompilerServices;

namespace Appliance.Core.Chunks;

/// <summary>
/// Packs frames: the cheapest way through a frame under the prices at its start is found by looking at every position and every
/// match there (shortest path), then written.
/// </summary>
internal sealed class FrameEncoder
{
    private const int Long = 128; // a match this long is taken whole
    private readonly byte[] _bytes;
    private readonly MatchFinder _finder;
    private readonly FramePrimes _primes;
    private readonly FramePrices[] _sets;
    private FramePrices _prices;
    private readonly RangeEncoder _coder = new();
    private readonly (int Length, int Distance)[] _matches = new (int, int)[MatchFinder.Nice + 4];
    private readonly Step[] _steps;

    /// <summary>Makes an encoder.</summary>
    /// <param name="bytes">The payload's bytes, or a piece of it that begins at a multiple of four.</param>
    /// <param name="finder">Finder over them.</param>
    /// <param name="largest">Largest frame in plain bytes.</param>
    /// <param name="primes">What every frame starts with.</param>
    public FrameEncoder(byte[] bytes, MatchFinder finder, int largest, FramePrimes primes)
    {
        (_bytes, _finder, _primes) = (bytes, finder, primes);
        _sets = Enumerable.Range(0, FrameModel.Sets).Select(set => new FramePrices(primes[set])).ToArray();
        _prices = _sets[0];
        _steps = new Step[largest + 1];
    }

    /// <summary>Where decisions are counted, or null.</summary>
    public FrameCounts? Counts
    {
        get => _coder.Counts;
        set => _coder.Counts = value;
    }

    /// <summary>Packs a frame; the strings before it must be in the finder, its own are put there.</summary>
    /// <param name="start">Where the frame's bytes begin.</param>
    /// <param name="length">How many they are.</param>
    /// <param name="set">What kind of frame it is; null for the kind whose literals are cheapest.</param>
    /// <returns>The frame, valid until the next; the plain bytes themselves when packing does not make them fewer.</returns>
    public ReadOnlySpan<byte> Encode(int start, int length, int? set = null)
    {
        var kind = set ?? CheapestSet(start, length);
        _prices = _sets[kind];
        FindPath(start, length);
        var packed = Write(start, length, kind);
        return packed.IsEmpty || packed.Length >= length ? _bytes.AsSpan(start, length) : packed;
    }

    private int CheapestSet(int start, int length)
    {
        var (best, bestPrice) = (0, long.MaxValue);
        for (var set = 0; set < _sets.Length; set++)
        {
            long price = 0;
            for (var i = start; i < start + length; i++) price += _sets[set].Literal(i > 0 ? _bytes[i - 1] : (byte)0, _bytes[i]);
            if (price < bestPrice) (best, bestPrice) = (set, price);
        }
        return best;
    }

    private void FindPath(int start, int length)
    {
        var steps = _steps.AsSpan(0, length + 1);
        for (var i = 1; i <= length; i++) steps[i].Price = int.MaxValue;
        steps[0] = new Step { Last = Recent.Initial };
        for (var i = 0; i < length; i++)
        {
            if (steps[i].Price == int.MaxValue) _finder.Insert(start + i, []);
            else Extend(steps, i, start + i, _finder.Insert(start + i, _matches));
        }
    }

    /// <summary>Looks at everything that can follow at a position.</summary>
    private void Extend(Span<Step> steps, int at, int position, int matches)
    {
        var here = steps[at];
        int state = here.State, place = position & (FrameModel.Positions - 1);
        var isMatch = FrameModel.IsMatch + (state * FrameModel.Positions) + place;
        ref var current = ref _bytes[position];
        var repeat = here.Last.Distance0 <= position ? here.Last.Distance0 : 0;

        var previous = position > 0 ? _bytes[position - 1] : (byte)0;
        var literal = FrameModel.IsLiteralState(state) ? _prices.Literal(previous, current) : _prices.LiteralAfterMatch(previous, current, _bytes[position - repeat]);
        Reach(ref steps[at + 1], here.Price + _prices.Zero(isMatch) + literal, at, Kind.Literal, 0, FrameModel.AfterLiteral(state), here.Last);

        var matchPrice = here.Price + _prices.One(isMatch);
        var repeatPrice = matchPrice + _prices.One(FrameModel.IsRepeat + state);
        matchPrice += _prices.Zero(FrameModel.IsRepeat + state);
        var isLong = FrameModel.IsLongRepeat0 + (state * FrameModel.Positions) + place;
        var repeat0Price = repeatPrice + _prices.Zero(FrameModel.IsRepeat0 + state);
        if (repeat != 0 && _bytes[position - repeat] == current)
            Reach(ref steps[at + 1], repeat0Price + _prices.Zero(isLong), at, Kind.ShortRepeat, 0, FrameModel.AfterShortRepeat(state), here.Last);

        var limit = Math.Min(steps.Length - 1 - at, FrameModel.MaxMatch);
        if (limit < FrameModel.MinMatch) return;
        var otherPrice = repeatPrice + _prices.One(FrameModel.IsRepeat0 + state);
        var farPrice = otherPrice + _prices.One(FrameModel.IsRepeat1 + state);
        for (var k = 0; k < Recent.Count; k++)
        {
            var distance = here.Last[k];
            if (distance > position) continue;
            var length = MatchFinder.CommonLength(ref _bytes[position - distance], ref current, limit);
            if (length < FrameModel.MinMatch) continue;
            var price = k switch
            {
                0 => repeat0Price + _prices.One(isLong),
                1 => otherPrice + _prices.Zero(FrameModel.IsRepeat1 + state),
                2 => farPrice + _prices.Zero(FrameModel.IsRepeat2 + state),
                _ => farPrice + _prices.One(FrameModel.IsRepeat2 + state),
            };
            var last = here.Last.Promote(k);
            for (var n = length >= Long ? length : FrameModel.MinMatch; n <= length; n++)
                Reach(ref steps[at + n], price + _prices.RepeatLength(place, n), at, Kind.Repeat, k, FrameModel.AfterRepeat(state), last);
        }

        var shortest = FrameModel.MinMatch;
        for (var m = 0; m < matches; m++)
        {
            var (length, distance) = _matches[m];
            length = Math.Min(length, limit);
            if (length == MatchFinder.Nice) length += MatchFinder.CommonLength(ref _bytes[position - distance + length], ref Unsafe.Add(ref current, length), limit - length);
            if (length >= Long) shortest = length;
            var last = here.Last.Push(distance);
            for (; shortest <= length; shortest++)
                Reach(ref steps[at + shortest], matchPrice + _prices.MatchLength(place, shortest) + _prices.Distance(shortest, distance), at, Kind.Match, distance, FrameModel.AfterMatch(state), last);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Reach(ref Step step, int price, int from, Kind kind, int argument, int state, in Recent last)
    {
        if (price >= step.Price) return;
        (step.Price, step.From, step.Kind, step.Argument, step.State) = (price, from, kind, argument, state);
        step.Last = last;
    }

    private ReadOnlySpan<byte> Write(int start, int length, int set)
    {
        // The path is known from its end; turn it round. Next goes where the price was.
        for (int at = length, next = 0; at > 0;)
        {
            ref var step = ref _steps[at];
            step.Price = next;
            next = at;
            at = step.From;
            if (at == 0) _steps[0].Price = next;
        }
        _coder.Start(_primes, set);
        var state = 0;
        var last = Recent.Initial;
        for (int at = 0, next; at < length; at = next)
        {
            next = _steps[at].Price;
            WriteStep(_steps[next], start + at, next - at, state, last);
            (state, last) = (_steps[next].State, _steps[next].Last);
        }
        return _coder.Finish();
    }

    private void WriteStep(in Step step, int position, int length, int state, in Recent last)
    {
        var place = position & (FrameModel.Positions - 1);
        _coder.Bit(FrameModel.IsMatch + (state * FrameModel.Positions) + place, step.Kind == Kind.Literal ? 0 : 1);
        if (step.Kind == Kind.Literal)
        {
            WriteLiteral(position, state, last.Distance0);
            return;
        }
        _coder.Bit(FrameModel.IsRepeat + state, step.Kind == Kind.Match ? 0 : 1);
        if (step.Kind == Kind.Match)
        {
            WriteLength(FrameModel.MatchLength, place, length);
            WriteDistance(length, step.Argument - 1);
            return;
        }
        var repeat = step.Argument;
        _coder.Bit(FrameModel.IsRepeat0 + state, repeat == 0 ? 0 : 1);
        if (repeat == 0) _coder.Bit(FrameModel.IsLongRepeat0 + (state * FrameModel.Positions) + place, step.Kind == Kind.ShortRepeat ? 0 : 1);
        else
        {
            _coder.Bit(FrameModel.IsRepeat1 + state, repeat == 1 ? 0 : 1);
            if (repeat > 1) _coder.Bit(FrameModel.IsRepeat2 + state, repeat - 2);
        }
        if (step.Kind == Kind.Repeat) WriteLength(FrameModel.RepeatLength, place, length);
    }

    private void WriteLiteral(int position, int state, int distance)
    {
        var first = FrameModel.LiteralAfter(position > 0 ? _bytes[position - 1] : (byte)0);
        int value = _bytes[position], node = 1;
        if (!FrameModel.IsLiteralState(state))
        {
            int expected = _bytes[position - distance];
            for (var same = true; same && node < 0x100;)
            {
                int bit = (value >> 7) & 1, other = (expected >> 7) & 1;
                (value, expected) = (value << 1, expected << 1);
                _coder.Bit(first + ((1 + other) << 8) + node, bit);
                node = (node << 1) | bit;
                same = bit == other;
            }
        }
        for (; node < 0x100; value <<= 1)
        {
            var bit = (value >> 7) & 1;
            _coder.Bit(first + node, bit);
            node = (node << 1) | bit;
        }
    }

    private void WriteLength(int model, int place, int length)
    {
        length -= FrameModel.MinMatch;
        _coder.Bit(model, length < 8 ? 0 : 1);
        if (length < 8)
        {
            _coder.Tree(model + FrameModel.LengthLow + (place * 8), 3, length);
            return;
        }
        _coder.Bit(model + 1, length < 16 ? 0 : 1);
        if (length < 16) _coder.Tree(model + FrameModel.LengthMiddle + (place * 8), 3, length - 8);
        else _coder.Tree(model + FrameModel.LengthHigh, 8, length - 16);
    }

    private void WriteDistance(int length, int distance)
    {
        var slots = FrameModel.DistanceSlot + (FrameModel.LengthContext(length) * 64);
        if (distance < 4)
        {
            _coder.Tree(slots, 6, distance);
            return;
        }
        var (slot, bits, first) = FramePrices.Split(distance);
        _coder.Tree(slots, 6, slot);
        if (slot < FrameModel.FirstAlignedSlot)
        {
            _coder.ReverseTree(FrameModel.DistanceSpecial + first - slot - 1, bits, distance - first);
            return;
        }
        _coder.Direct((distance - first) >> FrameModel.AlignBits, bits - FrameModel.AlignBits);
        _coder.ReverseTree(FrameModel.DistanceAlign, FrameModel.AlignBits, distance & ((1 << FrameModel.AlignBits) - 1));
    }

    private enum Kind : byte
    {
        Literal,
        ShortRepeat,
        Repeat,
        Match,
    }

    /// <summary>The cheapest way to a position: what it comes from, by what, and what holds after it.</summary>
    private struct Step
    {
        public int Price, From, Argument, State;
        public Kind Kind;
        public Recent Last;
    }

    /// <summary>The distances of the last four matches, the latest first.</summary>
    private readonly record struct Recent(int Distance0, int Distance1, int Distance2, int Distance3)
    {
        public const int Count = 4;
        public static readonly Recent Initial = new(1, 2, 3, 4);

        public int this[int index] => index switch { 0 => Distance0, 1 => Distance1, 2 => Distance2, _ => Distance3 };

        public Recent Push(int distance) => new(distance, Distance0, Distance1, Distance2);

        public Recent Promote(int index) => index switch
        {
            0 => this,
            1 => new(Distance1, Distance0, Distance2, Distance3),
            2 => new(Distance2, Distance0, Distance1, Distance3),
            _ => new(Distance3, Distance0, Distance1, Distance2),
        };
    }
}
