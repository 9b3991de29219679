using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Delta;

/// <summary>
/// Applies a patch: gives the new payload's bytes front to back while it reads the patch front to back and the old payload
/// wherever it must. Memory is bounded (about 24 MiB) whatever the sizes. The caller verifies what it gets.
/// </summary>
public sealed class PatchReader
{
    private readonly SafeFileHandle _old;
    private readonly PatchModel _model = new();
    private readonly List<PatchCommand> _commands = [];
    private readonly byte[] _piece = new byte[PatchModel.PieceSize];
    private readonly PieceReader _readOld;
    private BitReader _coder;
    private int _command, _pieceAt, _pieceEnd;
    private long _done, _position;

    /// <summary>Reads the patch's header.</summary>
    /// <param name="patch">The patch.</param>
    /// <param name="old">The old payload: a file or block device.</param>
    /// <param name="oldLength">Bytes of <paramref name="old"/> that are there to be read; a device may be longer than the payload on it.</param>
    /// <exception cref="InvalidDataException">No patch, of another format, or for a longer old payload.</exception>
    public PatchReader(Stream patch, SafeFileHandle old, long oldLength)
    {
        long patchedLength;
        (Length, patchedLength) = PatchFormat.ReadHeader(patch);
        if (patchedLength > oldLength) throw new InvalidDataException("the patch is for a longer old payload");
        (_old, OldLength) = (old, patchedLength);
        _readOld = (offset, buffer) => PatchFormat.ReadPadded(_old, OldLength, offset, buffer);
        _coder = new BitReader(patch);
    }

    /// <summary>Length of the new payload in bytes.</summary>
    public long Length { get; }

    /// <summary>Length of the old payload in bytes.</summary>
    public long OldLength { get; }

    /// <summary>Fills a buffer with the next bytes of the new payload.</summary>
    /// <returns>How many; 0 at the end.</returns>
    /// <exception cref="InvalidDataException">The patch is damaged or ends too early.</exception>
    public int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0 || _position == Length) return 0;
        if (_pieceAt == _pieceEnd)
        {
            if (_command == _commands.Count) NextGroup();
            var command = _commands[_command];
            if (command.Kind == PatchCommandKind.Copy) return Take(Copy(command, buffer), command);
            var piece = _model.CodePiece(ref _coder, command, _done, _readOld, null);
            piece.CopyTo(_piece);
            (_pieceAt, _pieceEnd) = (0, piece.Length);
        }
        var count = Math.Min(buffer.Length, _pieceEnd - _pieceAt);
        _piece.AsSpan(_pieceAt, count).CopyTo(buffer);
        _pieceAt += count;
        return Take(count, _commands[_command]);
    }

    private int Copy(PatchCommand command, Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, command.Length - _done);
        _readOld(command.OldOffset + _done, buffer[..count]);
        return count;
    }

    private int Take(int count, PatchCommand command)
    {
        _done += count;
        _position += count;
        if (_done == command.Length) (_done, _command) = (0, _command + 1);
        return count;
    }

    private void NextGroup()
    {
        _commands.Clear();
        _command = 0;
        _model.CodeCommands(ref _coder, _commands, _position, Length, OldLength);
    }
}
