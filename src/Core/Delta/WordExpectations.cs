namespace Appliance.Core.Delta;

/// <summary>
/// What may become of a 32-bit word: the old word itself, what became of the same word before, and the old word moved like
/// its neighbours in a table. Learns from every word that is known whole.
/// </summary>
internal sealed class WordExpectations
{
    /// <summary>Number of kinds, the one that is not about words included.</summary>
    public const int Kinds = 6;

    private const int Ring = 32;
    private static readonly int[] Strides = [1, 2, 3, 4, 5, 6, 8, 16]; // in words: the widths of the tables in object files and file systems
    private readonly Substitutions _inContext = new(18), _anywhere = new(18);
    private readonly uint[] _moves = new uint[Ring]; // new word minus old word, by place in the payload
    private readonly int[] _strideScores = new int[Strides.Length];
    private readonly uint[] _right = NumberModel.NewCounters(Kinds << 6);
    private readonly uint[] _words = new uint[Kinds];
    private readonly int[] _trust = new int[Kinds];
    private uint _lastMove;

    /// <summary>The words by kind; meaningless where the trust is negative.</summary>
    public ReadOnlySpan<uint> Words => _words;

    /// <summary>How far to trust each kind, 0 to 7; negative when it has nothing to say.</summary>
    public ReadOnlySpan<int> Trust => _trust;

    /// <summary>Whether the last words changed, the last in the lowest bit.</summary>
    public ulong Changes { get; private set; }

    /// <summary>Forms the expectations of the word at <paramref name="i"/>.</summary>
    public void Start(OldBytes old, int i, int at)
    {
        var word = old.Word(i);
        Set(Expectation.Old, word, 0);
        var (inContext, trust) = _inContext.Find(Key(old, i));
        Set(Expectation.InContext, inContext, trust > 0 ? trust : -1);
        (var anywhere, trust) = _anywhere.Find(word);
        Set(Expectation.Anywhere, anywhere, trust > 0 ? trust : -1);
        var best = -1;
        for (var s = 0; s < Strides.Length; s++)
            if (MoveBefore(at, s) != 0 && (best < 0 || _strideScores[s] > _strideScores[best])) best = s;
        Set(Expectation.Moved, best < 0 ? 0 : word + MoveBefore(at, best), best < 0 ? -1 : Math.Min(7, _strideScores[best] >> 5));
        Set(Expectation.Again, word + _lastMove, _lastMove != 0 ? 0 : -1);
        Set(Expectation.Relative, 0, -1);
    }

    /// <summary>The kind that was right most often in this situation.</summary>
    public int MostTrusted()
    {
        var best = 0;
        uint confidence = 0;
        for (var k = 0; k < Kinds; k++)
        {
            if (_trust[k] < 0) continue;
            var right = Right(k);
            if (right >= confidence) (best, confidence) = (k, right);
        }
        return best;
    }

    /// <summary>The word at <paramref name="i"/>, for which <see cref="Start"/> was called, became <paramref name="word"/>.</summary>
    public void Finish(OldBytes old, int i, int at, uint word)
    {
        for (var k = 0; k < Kinds; k++)
            if (_trust[k] >= 0) Probability.Update(ref Right(k), _words[k] == word ? 1 : 0, 100);
        var oldWord = old.Word(i);
        _inContext.Learn(Key(old, i), word);
        _anywhere.Learn(oldWord, word);
        var move = word - oldWord;
        if (move != 0)
        {
            for (var s = 0; s < Strides.Length; s++) _strideScores[s] += ((MoveBefore(at, s) == move ? 256 : 0) - _strideScores[s]) >> 3;
            _lastMove = move;
        }
        _moves[(at >> 2) & (Ring - 1)] = move;
        Changes = (Changes << 1) | (move != 0 ? 1u : 0u);
    }

    /// <summary>A block stayed as it was.</summary>
    /// <param name="old">The block's counterparts.</param>
    /// <param name="at">Place of the block.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="learn">Whether replacements that were expected in it are to lose trust.</param>
    public void Keep(OldBytes old, int at, int size, bool learn)
    {
        for (var i = (4 - (at & 3)) & 3; i + 4 <= size; i += 4)
        {
            _moves[((at + i) >> 2) & (Ring - 1)] = 0;
            if (!learn || !_anywhere.MayReplace(old.Word(i))) continue;
            var word = old.Word(i);
            if (_anywhere.Find(word).Trust > 0) _anywhere.Learn(word, word);
            if (_inContext.Find(Key(old, i)).Trust > 0) _inContext.Learn(Key(old, i), word);
        }
        Changes <<= size / 4;
    }

    /// <summary>How many words of a block are expected to be replaced, 0 to 3, and whether one that was is now expected to stay.</summary>
    public (int Replaced, bool Kept) Expect(OldBytes old, int at, int size)
    {
        var (replaced, kept) = (0, false);
        for (var i = (4 - (at & 3)) & 3; i + 4 <= size; i += 4)
        {
            var word = old.Word(i);
            if (!_anywhere.MayReplace(word)) continue;
            var (replacement, trust) = _anywhere.Find(word);
            if (trust == 0) continue;
            if (replacement != word) replaced += trust > 1 ? 2 : 1;
            else kept = true;
        }
        return (Math.Min(replaced, 3), kept);
    }

    private void Set(Expectation kind, uint word, int trust)
    {
        _words[(int)kind] = word;
        _trust[(int)kind] = trust;
    }

    private ref uint Right(int kind) => ref _right[(kind << 6) | (_trust[kind] << 3) | (int)(Changes & 7)];

    private uint MoveBefore(int at, int stride) => _moves[((at >> 2) - Strides[stride]) & (Ring - 1)];

    private static ulong Key(OldBytes old, int i) => (old.TwoWords(i) * 3) + 1;
}
