namespace Appliance.Core.Delta;

/// <summary>
/// What a patch consists of, for writing and reading alike: groups of commands, each followed by the bytes its literals and
/// corrections need. Everything that is learned lives here, so writer and reader stay in step.
/// </summary>
internal sealed class PatchModel
{
    /// <summary>Most bytes coded in one step; steps end at multiples of it.</summary>
    public const int PieceSize = 1 << 16;

    /// <summary>Most commands of a group; bounds the reader's memory.</summary>
    public const int MostCommands = 1 << 16;

    private const int WindowSize = 2 << 20, Slide = 1 << 20, LiteralKind = 7;
    private readonly AlignmentMap _alignment = new();
    private readonly CorrectionModel _corrections;
    private readonly SpellingModel _spelling = new();
    private readonly NumberModel _counts = new();
    private readonly NumberModel[] _moves = [new(), new(), new(), new()];
    private readonly NumberModel[] _lengths = [new(), new(), new()];
    private readonly NumberModel[] _kinds = [new(), new(), new(), new()];
    private readonly byte[] _window = new byte[WindowSize];
    private readonly byte[] _old = new byte[PieceSize + 2 * OldBytes.Margin];
    private int _at = 64;
    private int _lastKind = 3;
    private long _lastShift;

    /// <summary>Makes a model that has learned nothing.</summary>
    public PatchModel() => _corrections = new CorrectionModel(_alignment, _spelling);

    /// <summary>Codes the commands of the next group; when reading, <paramref name="commands"/> is filled.</summary>
    /// <param name="coder">Writer or reader.</param>
    /// <param name="commands">The group's commands.</param>
    /// <param name="newOffset">Where the group begins in the new payload.</param>
    /// <param name="newLength">Length of the new payload.</param>
    /// <param name="oldLength">Length of the old payload.</param>
    /// <exception cref="InvalidDataException">When reading: a command leaves one of the payloads.</exception>
    public void CodeCommands<TCoder>(ref TCoder coder, List<PatchCommand> commands, long newOffset, long newLength, long oldLength) where TCoder : struct, IBitCoder
    {
        var count = _counts.Code(ref coder, commands.Count);
        if (count is < 1 or > MostCommands) throw new InvalidDataException("the patch has a group of an impossible size");
        for (var i = 0; i < count; i++)
        {
            var given = TCoder.Writes ? commands[i] : default;
            var kind = _kinds[_lastKind].Code(ref coder, (int)given.Kind);
            if (kind > 2) throw new InvalidDataException("the patch has an unknown command");
            var length = _lengths[kind].Code(ref coder, given.Length);
            if (length < 1 || length > newLength - newOffset) throw new InvalidDataException("the patch makes more than the new payload");
            // Going on at the distance of the copy before is the common case; a literal lies beside what it replaces.
            var expected = newOffset + _lastShift;
            var old = expected;
            if (kind != (int)PatchCommandKind.Literal)
            {
                old += _moves[_lastKind].CodeSigned(ref coder, given.OldOffset - expected);
                if (old < 0 || old > oldLength - length) throw new InvalidDataException("the patch takes bytes from outside the old payload");
                _lastShift = old - newOffset;
            }
            if (TCoder.Writes) commands[i] = given with { OldOffset = old };
            else commands.Add(new PatchCommand((PatchCommandKind)kind, newOffset, length, old));
            newOffset += length;
            _lastKind = (int)kind;
        }
        _alignment.Set(commands);
    }

    /// <summary>The size of the next piece of a command, of which <paramref name="done"/> bytes are made.</summary>
    public static int NextPiece(PatchCommand command, long done) =>
        (int)Math.Min(command.Length - done, PieceSize - ((command.NewOffset + done) & (PieceSize - 1)));

    /// <summary>Codes the next piece of a literal or correction.</summary>
    /// <returns>The new bytes; valid until the next call.</returns>
    /// <param name="coder">Writer or reader.</param>
    /// <param name="command">The command.</param>
    /// <param name="done">Bytes of it that are made already.</param>
    /// <param name="readOld">Fills a buffer from the old payload; bytes outside of it are zero.</param>
    /// <param name="readNew">When writing: fills a buffer from the new payload.</param>
    public ReadOnlySpan<byte> CodePiece<TCoder>(ref TCoder coder, PatchCommand command, long done, PieceReader readOld, PieceReader? readNew) where TCoder : struct, IBitCoder
    {
        var size = NextPiece(command, done);
        var at = MakeRoom(command.NewOffset + done, size);
        var piece = _window.AsSpan(at, size);
        if (TCoder.Writes) readNew!(command.NewOffset + done, piece);
        var bytes = _old.AsSpan(0, size + 2 * OldBytes.Margin);
        readOld(command.OldOffset + done - OldBytes.Margin, bytes);
        var old = new OldBytes(bytes);
        if (command.Kind == PatchCommandKind.Literal)
        {
            for (var i = 0; i < size; i++)
            {
                _spelling.Code(ref coder, _window, at + i, old.Around(i), LiteralKind, old[i], -1);
                _spelling.Learn(_window, at + i);
            }
        }
        else
        {
            _corrections.Code(ref coder, old, command.OldOffset + done, _window, at, command.NewOffset + done, size);
        }
        _at = at + size;
        return piece;
    }

    /// <summary>A place in the window for the next piece, aligned as the new payload is.</summary>
    private int MakeRoom(long newOffset, int size)
    {
        var at = _at + (int)((newOffset - _at) & 63);
        if (at + size <= WindowSize) return at;
        _window.AsSpan(Slide).CopyTo(_window);
        _spelling.Shift(Slide);
        return at - Slide;
    }
}
