using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Delta;

/// <summary>
/// Decides how a new payload is made from an old one: files with equal content are copied, files are paired by path and laid
/// over each other, the file system's own structures over the old ones. The result covers the new payload without gaps.
/// </summary>
internal sealed class PatchPlanner(SafeFileHandle oldFile, long oldLength, SafeFileHandle newFile, long newLength)
{
    /// <summary>Largest stretch of the new payload that is matched at once; with the old side it bounds the memory.</summary>
    private const int LargestUnit = 96 << 20;

    /// <summary>Largest part of the old payload that is searched for one unit.</summary>
    private const int LargestWindow = 288 << 20;

    /// <summary>Units matched side by side: at most 1.5 GiB of memory each.</summary>
    private static readonly int MostAtOnce = Math.Min(Environment.ProcessorCount, 3);

    /// <summary>Below this, a stretch between two files is only padding and goes with the file before it.</summary>
    private const int LargestPadding = 4096;

    private IReadOnlyList<ErofsFile> _oldFiles = [];
    private HashSet<long> _sharedSizes = []; // only files of a size that both sides have can be equal

    /// <summary>Plans the whole payload.</summary>
    public async Task<List<PatchCommand>> PlanAsync(Action<long>? onPlanned, CancellationToken cancellationToken)
    {
        _oldFiles = ErofsReader.ReadFiles(oldFile, oldLength);
        var newFiles = ErofsReader.ReadFiles(newFile, newLength);
        var pairs = new FilePairs(_oldFiles);
        _sharedSizes = [.. newFiles.Select(file => file.Length)];
        _sharedSizes.IntersectWith(_oldFiles.Select(file => file.Length));
        var byContent = await ContentsAsync(cancellationToken);
        var commands = new List<PatchCommand>();
        var running = new Queue<(long Length, Task<List<PatchCommand>> Work)>();
        long end = 0;
        foreach (var unit in UnitsOf(newFiles))
        {
            running.Enqueue((unit.Length, Task.Run(() => PlanUnit(unit, pairs, byContent, cancellationToken), cancellationToken)));
            while (running.Count >= MostAtOnce) await TakeAsync();
        }
        while (running.Count > 0) await TakeAsync();
        return commands;

        async Task TakeAsync()
        {
            var (length, work) = running.Dequeue();
            foreach (var command in await work) Append(commands, command);
            onPlanned?.Invoke(end += length);
        }
    }

    private static void Append(List<PatchCommand> commands, PatchCommand command)
    {
        if (commands.Count > 0 && commands[^1] is var last && last.Kind == command.Kind && (command.Kind == PatchCommandKind.Literal || last.OldEnd == command.OldOffset))
            commands[^1] = last with { Length = last.Length + command.Length };
        else
            commands.Add(command);
    }

    /// <summary>The new payload in pieces: every file with its padding, and the stretches between files.</summary>
    private IEnumerable<Unit> UnitsOf(IReadOnlyList<ErofsFile> files)
    {
        long at = 0;
        for (var i = 0; i < files.Count; i++)
        {
            var file = files[i];
            foreach (var unit in Opaque(at, file.Offset)) yield return unit;
            var next = i + 1 < files.Count ? files[i + 1].Offset : newLength;
            at = file.Offset + file.Length;
            if (next - at < LargestPadding) at = next;
            for (var part = file.Offset; part < at; part += LargestUnit) yield return new Unit(part, Math.Min(LargestUnit, at - part), file);
        }
        foreach (var unit in Opaque(at, newLength)) yield return unit;

        static IEnumerable<Unit> Opaque(long from, long to)
        {
            for (; from < to; from += LargestUnit) yield return new Unit(from, Math.Min(LargestUnit, to - from), null);
        }
    }

    private List<PatchCommand> PlanUnit(Unit unit, FilePairs pairs, Dictionary<(long Length, string Hash), long> byContent, CancellationToken cancellationToken)
    {
        var text = Read(newFile, unit.Offset, (int)unit.Length);
        if (unit.File is { } file && file.Offset == unit.Offset && file.Length <= unit.Length && _sharedSizes.Contains(file.Length)
            && byContent.TryGetValue((file.Length, HashOf(text.AsSpan(0, (int)file.Length))), out var same) && same + unit.Length <= oldLength)
        {
            var padding = Read(oldFile, same + file.Length, (int)(unit.Length - file.Length));
            if (padding.AsSpan().SequenceEqual(text.AsSpan((int)file.Length))) return [new PatchCommand(PatchCommandKind.Copy, unit.Offset, unit.Length, same)];
        }
        var (from, length) = WindowFor(unit, pairs);
        if (length == 0) return [new PatchCommand(PatchCommandKind.Literal, unit.Offset, unit.Length, 0)];
        var old = Read(oldFile, from, length);
        var found = new SimilarRegions(old, new SuffixArray(old), text).Find(cancellationToken);
        return found.ConvertAll(command => Place(command, old, text, from, unit.Offset));
    }

    private static PatchCommand Place(PatchCommand command, byte[] old, byte[] text, long oldBase, long newBase)
    {
        if (command.Kind == PatchCommandKind.Literal) return command with { NewOffset = newBase + command.NewOffset };
        var equal = old.AsSpan((int)command.OldOffset, (int)command.Length).SequenceEqual(text.AsSpan((int)command.NewOffset, (int)command.Length));
        return new PatchCommand(equal ? PatchCommandKind.Copy : PatchCommandKind.Correct, newBase + command.NewOffset, command.Length, oldBase + command.OldOffset);
    }

    /// <summary>The part of the old payload a unit is searched in.</summary>
    private (long Offset, int Length) WindowFor(Unit unit, FilePairs pairs)
    {
        if (unit.File is { } file)
        {
            if (pairs.For(file) is not { } old) return (0, 0);
            var start = Math.Max(0, unit.Offset - file.Offset - (LargestWindow - LargestUnit) / 2);
            if (start >= old.Length) start = Math.Max(0, old.Length - LargestWindow);
            // A file's padding is part of its last block.
            var end = Math.Min(old.Offset + old.Length + LargestPadding, oldLength);
            return (old.Offset + start, (int)Math.Min(LargestWindow, end - old.Offset - start));
        }
        if (_oldFiles.Count > 0) return MetadataWindow(unit);
        var from = Math.Max(0, Math.Min(unit.Offset, oldLength) - (LargestWindow - unit.Length) / 2);
        return (from, (int)Math.Min(LargestWindow, oldLength - from));
    }

    /// <summary>The old stretch between files whose length is nearest.</summary>
    private (long Offset, int Length) MetadataWindow(Unit unit)
    {
        (long Offset, int Length) best = (0, 0);
        long at = 0;
        foreach (var (from, to) in _oldFiles.Select(file => (file.Offset, file.Offset + file.Length)).Append((oldLength, oldLength)))
        {
            var length = (int)Math.Min(LargestWindow, from - at);
            if (length > 0 && (best.Length == 0 || Distance(length) < Distance(best.Length))) best = (at, length);
            at = to;
        }
        return best;

        long Distance(long length) => Math.Abs(length - unit.Length);
    }

    /// <summary>Where the old payload has what content, as far as the new one may have the same.</summary>
    private async Task<Dictionary<(long, string), long>> ContentsAsync(CancellationToken cancellationToken)
    {
        var contents = new Dictionary<(long, string), long>();
        await Parallel.ForEachAsync(_oldFiles.Where(file => _sharedSizes.Contains(file.Length) && file.Length <= LargestUnit), cancellationToken, (file, _) =>
        {
            var hash = HashOf(Read(oldFile, file.Offset, (int)file.Length));
            lock (contents)
                if (!contents.TryGetValue((file.Length, hash), out var known) || file.Offset < known) contents[(file.Length, hash)] = file.Offset;
            return ValueTask.CompletedTask;
        });
        return contents;
    }

    private static string HashOf(ReadOnlySpan<byte> content) => Convert.ToHexString(SHA256.HashData(content));

    private static byte[] Read(SafeFileHandle file, long offset, int length)
    {
        var bytes = new byte[length];
        return file.ReadUpTo(bytes, offset) == length ? bytes : throw new EndOfStreamException("the payload became shorter while it was read");
    }

    private readonly record struct Unit(long Offset, long Length, ErofsFile? File);
}
