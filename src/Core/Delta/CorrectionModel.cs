using System.Buffers.Binary;

namespace Appliance.Core.Delta;

/// <summary>
/// Codes bytes that have a counterpart in the old payload. Blocks without a change cost next to nothing; in the others every
/// aligned word is expected to be one of several (<see cref="WordExpectations"/>), and one decision says whether the most
/// trusted is right. Where none is, or where a relative address stands, the same is done byte by byte; a byte that nothing
/// foretold is spelt out.
/// </summary>
internal sealed class CorrectionModel(AlignmentMap alignment, SpellingModel spelling)
{
    private const int BlockSize = 64, Kinds = WordExpectations.Kinds, Old = (int)Expectation.Old, Relative = (int)Expectation.Relative, Agreements = 729;
    private readonly WordExpectations _words = new();
    private readonly uint[] _blockFlags = NumberModel.NewCounters(4 << 8), _blockHints = NumberModel.NewCounters(4 << 9);
    private readonly Mixer _blockMixer = new(2, 4, rate: 2);
    private readonly int[] _blockOdds = new int[2];
    private readonly Decision _wordIsRight = new(6, 17, Kinds * 16, Agreements), _byteIsRight = new(7, 17, Kinds * 4 * 16, 256 * 4);
    private readonly uint[] _right = NumberModel.NewCounters(Kinds << 8);
    private readonly byte[] _bytes = new byte[Kinds];
    private readonly int[] _trust = new int[Kinds];
    private uint _blockHistory, _wordHits, _hits;
    private ulong _changes; // whether the last bytes changed, the last in the lowest bit
    private uint _newWord, _address;
    private int _addressLeft;
    private bool _wordStarted, _wordWhole;

    /// <summary>Codes a stretch. When writing, the window holds the new bytes already; when reading, they appear there.</summary>
    /// <param name="coder">Writer or reader.</param>
    /// <param name="old">The counterparts.</param>
    /// <param name="oldOffset">Place of the stretch in the old payload.</param>
    /// <param name="window">New bytes.</param>
    /// <param name="at">Start of the stretch in the window; congruent to <paramref name="newOffset"/> modulo 64.</param>
    /// <param name="newOffset">Place of the stretch in the new payload.</param>
    /// <param name="length">Bytes of the stretch.</param>
    public void Code<TCoder>(ref TCoder coder, OldBytes old, long oldOffset, byte[] window, int at, long newOffset, int length) where TCoder : struct, IBitCoder
    {
        (_addressLeft, _wordStarted, _wordWhole) = (0, false, false);
        for (var done = 0; done < length;)
        {
            var size = Math.Min(BlockSize - ((at + done) & (BlockSize - 1)), length - done);
            CodeBlock(ref coder, old.Slice(done, size), oldOffset + done, window, at + done, newOffset + done, size);
            done += size;
        }
    }

    private void CodeBlock<TCoder>(ref TCoder coder, OldBytes old, long oldOffset, byte[] window, int at, long newOffset, int size) where TCoder : struct, IBitCoder
    {
        var fresh = window.AsSpan(at, size);
        var (replaced, kept) = _words.Expect(old, at, size);
        var hint = (((replaced * 2) + (kept ? 1 : 0)) * 4) + MovedAddresses(old, oldOffset, newOffset, size);
        var sizeClass = size == BlockSize ? 0 : size >= 16 ? 1 : size >= 4 ? 2 : 3;
        ref var flag = ref _blockFlags[(sizeClass << 8) | (int)(_blockHistory & 0xFF)];
        ref var hinted = ref _blockHints[(sizeClass << 9) | (hint << 4) | (int)(_blockHistory & 15)];
        _blockOdds[0] = Probability.Stretch(flag);
        _blockOdds[1] = Probability.Stretch(hinted);
        var changed = coder.Code(TCoder.Writes && !fresh.SequenceEqual(old.Counterparts) ? 1 : 0, Probability.Squash(_blockMixer.Mix(sizeClass, _blockOdds)));
        _blockMixer.Update(changed, _blockOdds);
        Probability.Update(ref flag, changed, 250);
        Probability.Update(ref hinted, changed, 250);
        _blockHistory = (_blockHistory << 1) | (uint)changed;
        if (changed == 0)
        {
            if (!TCoder.Writes) old.Counterparts.CopyTo(fresh);
            _words.Keep(old, at, size, hint > 1);
            (_addressLeft, _changes, _hits, _wordHits) = (0, size >= 64 ? 0 : _changes << size, _hits | 0xFF, _wordHits | 0xFF);
            return;
        }
        for (var i = 0; i < size;)
        {
            if (((at + i) & 3) == 0 && i + 4 <= size && CodeWord(ref coder, old, i, window, at + i))
            {
                i += 4;
                continue;
            }
            for (var end = Math.Min(size, i + 4 - ((at + i) & 3)); i < end; i++) CodeByte(ref coder, old, i, oldOffset + i, window, at + i, newOffset + i);
        }
    }

    /// <summary>How many relative addresses of a block need another value for the same target, 0 to 3.</summary>
    private int MovedAddresses(OldBytes old, long oldOffset, long newOffset, int size)
    {
        var moved = 0;
        for (var i = 0; i < size && moved < 3; i++)
            if (old.IsAddress(i) && Recalculated(old.Word(i), oldOffset + i, newOffset + i) != old.Word(i)) moved++;
        return moved;
    }

    private uint Recalculated(uint address, long oldOffset, long newOffset)
    {
        var target = oldOffset + 4 + (int)address;
        return (uint)(target + alignment.ShiftOf(target) - newOffset - 4);
    }

    /// <summary>Codes whether a whole word is what is expected of it; when it is, that was all.</summary>
    private bool CodeWord<TCoder>(ref TCoder coder, OldBytes old, int i, byte[] window, int at) where TCoder : struct, IBitCoder
    {
        // Addresses are not aligned: where one begins or goes on, bytes are looked at one by one.
        if (_addressLeft > 0 || old.IsAddress(i) || old.IsAddress(i + 1) || old.IsAddress(i + 2) || old.IsAddress(i + 3)) return false;
        _words.Start(old, i, at);
        var best = _words.MostTrusted();
        var (guess, oldWord) = (_words.Words[best], old.Word(i));
        var agreement = 0;
        for (var k = 0; k < Kinds; k++) agreement = (agreement * 3) + (_words.Trust[k] < 0 ? 0 : _words.Words[k] == guess ? 2 : 1);
        uint kind = (uint)best, stays = guess == oldWord ? 1u : 0u, last = at >= 4 ? WordOf(window, at - 4) : 0, changes = (uint)_words.Changes;
        _wordIsRight.See(0, ((uint)agreement << 6) | ((uint)_words.Trust[best] << 3) | kind);
        _wordIsRight.See(1, (_wordHits & 0xFF) | (stays << 8) | (kind << 9) | ((changes & 3) << 12));
        _wordIsRight.See(2, (oldWord * 8) + kind);
        _wordIsRight.See(3, (uint)(old.TwoWords(i) * 0x9E3779B97F4A7C15ul >> 32) ^ guess);
        _wordIsRight.See(4, (changes & 15) | ((changes >> 1) & 16) | ((changes >> 2) & 32) | (kind << 6) | (stays << 9) | ((_wordHits & 3) << 10));
        _wordIsRight.See(5, (last * 0x2C1B3C6Du) ^ guess);
        var hit = _wordIsRight.Code(ref coder, TCoder.Writes && WordOf(window, at) == guess ? 1 : 0, (best * 16) + (int)(changes & 15), agreement);
        _wordHits = (_wordHits << 1) | (uint)hit;
        _wordStarted = hit == 0;
        if (hit == 0) return false;
        BinaryPrimitives.WriteUInt32LittleEndian(window.AsSpan(at), guess);
        _words.Finish(old, i, at, guess);
        var differing = guess ^ oldWord;
        for (var k = 0; k < 4; k++, differing >>= 8) _changes = (_changes << 1) | ((differing & 0xFF) != 0 ? 1u : 0u);
        _hits = (_hits << 4) | 15;
        spelling.Forget();
        return true;
    }

    private void CodeByte<TCoder>(ref TCoder coder, OldBytes old, int i, long oldOffset, byte[] window, int at, long newOffset) where TCoder : struct, IBitCoder
    {
        var phase = at & 3;
        if (phase == 0)
        {
            if (!_wordStarted) _words.Start(old, i, at);
            (_wordStarted, _wordWhole, _newWord) = (false, true, 0);
            _words.Trust.CopyTo(_trust);
        }
        else if (!_wordWhole)
        {
            // The stretch began inside a word: nothing is known of its start.
            Array.Fill(_trust, -1);
            _trust[Old] = 0;
        }
        if (_addressLeft == 0 && old.IsAddress(i)) (_address, _addressLeft) = (Recalculated(old.Word(i), oldOffset, newOffset), 4);
        for (var k = 0; k < Kinds; k++) _bytes[k] = (byte)(_words.Words[k] >> (phase * 8));
        _bytes[Old] = old[i];
        if (_addressLeft > 0) (_bytes[Relative], _trust[Relative]) = ((byte)(_address >> ((4 - _addressLeft) * 8)), _addressLeft);
        else _trust[Relative] = -1;

        var changes = (int)(_changes & 3);
        var best = Old;
        uint confidence = 0;
        for (var k = 0; k < Kinds; k++)
        {
            if (_trust[k] < 0) continue;
            var right = Right(k, phase, changes);
            if (right >= confidence) (best, confidence) = (k, right);
        }
        int agreement = 0, other = -1;
        for (var k = 0; k < Kinds; k++)
        {
            var differs = _trust[k] >= 0 && _bytes[k] != _bytes[best];
            if (differs) other = _bytes[k];
            agreement = (agreement * 3) + (_trust[k] < 0 ? 0 : differs ? 1 : 2);
        }
        if (IsRight(ref coder, old, i, window, at, best, agreement, other >= 0)) window[at] = _bytes[best];
        else spelling.Code(ref coder, window, at, old.Around(i), best, _bytes[best], other);
        spelling.Learn(window, at);
        var value = window[at];

        for (var k = 0; k < Kinds; k++)
        {
            if (_trust[k] < 0) continue;
            Probability.Update(ref Right(k, phase, changes), _bytes[k] == value ? 1 : 0, 100);
            // What was wrong about one byte is not asked about the rest.
            if (_bytes[k] != value && k != Old) _trust[k] = -1;
        }
        if (_addressLeft > 0) _addressLeft = _bytes[Relative] == value ? _addressLeft - 1 : 0;
        _changes = (_changes << 1) | (value != old[i] ? 1u : 0u);
        _newWord |= (uint)value << (phase * 8);
        if (phase == 3 && _wordWhole) _words.Finish(old, i - 3, at - 3, _newWord);
    }

    private bool IsRight<TCoder>(ref TCoder coder, OldBytes old, int i, byte[] window, int at, int best, int agreement, bool disputed) where TCoder : struct, IBitCoder
    {
        uint guess = _bytes[best], kind = (uint)best, phase = (uint)at & 3, stays = guess == old[i] ? 1u : 0u;
        uint last = window[at - 1], before = window[at - 2];
        _byteIsRight.See(0, ((uint)agreement << 8) | ((uint)_trust[best] << 5) | (phase << 3) | kind);
        _byteIsRight.See(1, (uint)(_changes & 0xFF) | (phase << 8) | (stays << 10) | (kind << 11) | ((_hits & 15) << 14));
        _byteIsRight.See(2, old[i - 1] | ((uint)old[i] << 8) | ((uint)old[i + 1] << 16) | (guess << 24));
        _byteIsRight.See(3, last | (before << 8) | (guess << 16) | (stays << 24));
        // Whether the bytes 4, 8, 12, 16, 24 and 32 before changed: the rhythm of a table.
        var rhythm = (uint)((_changes >> 3) & 1) | (uint)((_changes >> 6) & 2) | (uint)((_changes >> 9) & 4) | (uint)((_changes >> 12) & 8) | (uint)((_changes >> 19) & 16) | (uint)((_changes >> 26) & 32);
        _byteIsRight.See(4, rhythm | ((_hits & 0xFF) << 6) | (kind << 14) | (phase << 17) | (stays << 19));
        _byteIsRight.See(5, (uint)(old.TwoWords(i) * 0x9E3779B97F4A7C15ul >> 32) + guess);
        _byteIsRight.See(6, ((uint)agreement << 16) | ((uint)old[i] << 8) | guess);
        var hit = _byteIsRight.Code(ref coder, TCoder.Writes && window[at] == guess ? 1 : 0, (((best * 4) + (int)phase) * 16) + (int)(_changes & 15), (int)((_hits & 0xFF) << 2) | (int)(stays << 1) | (disputed ? 1 : 0));
        _hits = (_hits << 1) | (uint)hit;
        return hit != 0;
    }

    private ref uint Right(int kind, int phase, int changes) => ref _right[(kind << 8) | (_trust[kind] << 4) | (phase << 2) | changes];

    private static uint WordOf(byte[] window, int at) => BinaryPrimitives.ReadUInt32LittleEndian(window.AsSpan(at));
}
