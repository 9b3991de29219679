namespace Appliance.Core.Delta;

/// <summary>
/// Spells a byte that nothing foretold, bit by bit: from the bytes before it, from the place where the same bytes stood last,
/// and from the old payload's bytes at the counterpart.
/// </summary>
internal sealed class SpellingModel
{
    private const int Orders = 6, OldContexts = 7, Contexts = Orders + OldContexts, Inputs = Contexts + 1;
    private const int SlotBits = 19, SlotSize = 16, MatchBits = 18, ShortestMatch = 5, LongestCounted = 15;
    private readonly byte[] _histories = new byte[SlotSize << SlotBits]; // a check and the 15 histories of a nibble each
    private readonly uint[][] _counters = [.. Enumerable.Range(0, Contexts).Select(_ => BitHistory.NewCounters())];
    private readonly int[] _lastPlace = new int[1 << MatchBits];
    private readonly uint[] _matchCounters = NumberModel.NewCounters((LongestCounted + 1) * 2);
    private readonly Mixer _byKind = new(Inputs, 8 * 256, rate: 14), _byMatch = new(Inputs, 256 * (LongestCounted + 1), rate: 14), _byLast = new(Inputs, 256 * 8, rate: 14);
    private readonly int[] _odds = new int[Inputs];
    private readonly uint[] _contexts = new uint[Contexts];
    private readonly int[] _slots = new int[Contexts];
    private int _match, _matchLength;

    /// <summary>Codes the byte at <paramref name="at"/> of the window; the bytes before it are there already.</summary>
    /// <param name="coder">Writer or reader.</param>
    /// <param name="window">New bytes.</param>
    /// <param name="at">The byte's place in it.</param>
    /// <param name="old">The old bytes from two before the counterpart to two after it.</param>
    /// <param name="kind">The situation, 0 to 7: which expectation failed.</param>
    /// <param name="guess">The expectation that failed.</param>
    /// <param name="other">Another expectation, or -1.</param>
    public void Code<TCoder>(ref TCoder coder, byte[] window, int at, ReadOnlySpan<byte> old, int kind, byte guess, int other) where TCoder : struct, IBitCoder
    {
        Prepare(window, at, old, kind, guess, other);
        var expected = _matchLength > 0 ? window[_match] | 256 : 0;
        int value = window[at], partial = 1, last = at > 0 ? window[at - 1] : 0;
        var counted = Math.Min(_matchLength, LongestCounted);
        for (var i = 7; i >= 0; i--)
        {
            if (i is 7 or 3)
                for (var k = 0; k < Contexts; k++) _slots[k] = FindSlot(_contexts[k] ^ (i == 3 ? (uint)partial * 0x27D4EB2Fu : 0));
            var inNibble = i > 3 ? partial : (partial & ((1 << (3 - i)) - 1)) | (1 << (3 - i));
            for (var k = 0; k < Contexts; k++) _odds[k] = Probability.Stretch(_counters[k][_histories[_slots[k] + inNibble]]);
            var follows = expected != 0 && expected >> (i + 1) == partial;
            var matchSlot = follows ? counted * 2 + ((expected >> i) & 1) : 0;
            _odds[Contexts] = follows ? Probability.Stretch(_matchCounters[matchSlot]) : 0;
            var odds = _byKind.Mix(kind * 256 + partial, _odds) + _byMatch.Mix((follows ? counted : 0) * 256 + partial, _odds) + _byLast.Mix(last * 8 + i, _odds);
            var bit = coder.Code((value >> i) & 1, Probability.Squash(odds / 3));
            _byKind.Update(bit, _odds);
            _byMatch.Update(bit, _odds);
            _byLast.Update(bit, _odds);
            for (var k = 0; k < Contexts; k++)
            {
                ref var history = ref _histories[_slots[k] + inNibble];
                Probability.Update(ref _counters[k][history], bit, 255);
                history = BitHistory.After(history, bit);
            }
            if (follows) Probability.Update(ref _matchCounters[matchSlot], bit, 1000);
            partial = (partial << 1) | bit;
        }
        window[at] = (byte)partial;
    }

    /// <summary>Takes note of the byte at <paramref name="at"/>, however it was coded.</summary>
    public void Learn(byte[] window, int at)
    {
        if (_matchLength > 0 && window[_match] == window[at])
        {
            _match++;
            if (_matchLength < 65535) _matchLength++;
        }
        else
        {
            _matchLength = 0;
        }
        if (at + 1 < ShortestMatch) return;
        uint hash = 0;
        for (var i = 0; i < ShortestMatch; i++) hash = (hash + window[at - i] + 1) * 0x2C1B3C6Du;
        ref var place = ref _lastPlace[hash >> (32 - MatchBits)];
        if (_matchLength == 0 && place > 0)
        {
            // How far back both places agree tells how much to trust the match; none means the hash collided.
            _match = place;
            while (_matchLength < LongestCounted && _match > _matchLength && window[_match - 1 - _matchLength] == window[at - _matchLength]) _matchLength++;
        }
        place = at + 1;
    }

    /// <summary>Bytes came that are not taken note of: a match does not go on over them.</summary>
    public void Forget() => _matchLength = 0;

    /// <summary>The window's content moved to the front by <paramref name="by"/> bytes.</summary>
    public void Shift(int by)
    {
        for (var i = 0; i < _lastPlace.Length; i++) _lastPlace[i] = Math.Max(0, _lastPlace[i] - by);
        _match -= by;
        if (_match <= 0) _matchLength = 0;
    }

    /// <summary>The histories of a context: its own, or those of the least used of two places, cleared.</summary>
    private int FindSlot(uint context)
    {
        var hash = context * 0x85EBCA6Bu;
        hash ^= hash >> 15;
        hash *= 0xC2B2AE35u;
        var check = (byte)(hash | 1);
        var first = (int)(hash >> (32 - SlotBits)) * SlotSize;
        if (_histories[first] == check) return first;
        var second = first ^ SlotSize;
        if (_histories[second] == check) return second;
        var slot = BitHistory.Weight(_histories[first + 1]) <= BitHistory.Weight(_histories[second + 1]) ? first : second;
        _histories.AsSpan(slot, SlotSize).Clear();
        _histories[slot] = check;
        return slot;
    }

    private void Prepare(byte[] window, int at, ReadOnlySpan<byte> old, int kind, byte guess, int other)
    {
        uint hash = 0;
        for (var k = 0; k < Orders; k++)
        {
            _contexts[k] = hash;
            hash = (hash * 0x01000193u) ^ ((at > k ? window[at - 1 - k] : 0u) + 1);
        }
        uint last = at > 0 ? window[at - 1] : 0u, before = at > 1 ? window[at - 2] : 0u;
        uint oldByte = old[2], oldLast = old[1], oldNext = old[3], move = (last - oldLast) & 0xFF;
        var phase = (uint)at & 3;
        _contexts[0] = phase | ((uint)kind << 2);
        _contexts[Orders] = oldByte | (phase << 8) | ((uint)kind << 10);
        _contexts[Orders + 1] = guess | ((uint)kind << 8) | (phase << 11);
        _contexts[Orders + 2] = oldByte | (move << 8);
        _contexts[Orders + 3] = (uint)(other + 1) | ((uint)kind << 9) | (phase << 12);
        _contexts[Orders + 4] = oldByte | (last << 8) | (oldLast << 16);
        _contexts[Orders + 5] = oldByte | (oldNext << 8) | (oldLast << 16) | ((uint)old[0] << 24);
        _contexts[Orders + 6] = oldByte | (last << 8) | (before << 16);
        for (var k = 0; k < Contexts; k++) _contexts[k] = (_contexts[k] + (uint)k * 0x3C6EF372u) * 0x9E3779B1u;
    }
}
