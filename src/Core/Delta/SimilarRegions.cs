namespace Appliance.Core.Delta;

/// <summary>
/// Lays a new text over an old one: stretches that agree in most bytes, and what lies between them. The way of bsdiff
/// (C. Percival, "Naive Differences of Executable Code", 2003): a stretch starts at a longest match that beats going on as
/// before, and is extended both ways as long as more bytes agree than not.
/// </summary>
internal sealed class SimilarRegions(byte[] old, SuffixArray suffixes, byte[] text)
{
    /// <summary>A match must gain this many bytes over going on at the present distance.</summary>
    private const int Gain = 10;

    /// <summary>An agreement this long at the present distance is taken without a search.</summary>
    private const int Certain = 48;

    /// <summary>The commands that make the text, in order, with offsets relative to both texts. All similar stretches are of kind <see cref="PatchCommandKind.Correct"/>.</summary>
    public List<PatchCommand> Find(CancellationToken cancellationToken)
    {
        var commands = new List<PatchCommand>();
        int scan = 0, length = 0, position = 0, lastScan = 0, lastPosition = 0, shift = 0;
        while (scan < text.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var agreeing = 0; // of the bytes of the match, those that agree at the present distance too
            scan += length;
            var counted = scan;
            for (length = 0; scan < text.Length; scan++)
            {
                var run = AgreementAt(scan, shift);
                if (run >= Certain)
                {
                    // Nothing can be gained here: go to its end and look again from there.
                    scan += run;
                    (counted, agreeing, length) = (scan, 0, 0);
                    if (scan >= text.Length) break;
                }
                (position, length) = suffixes.LongestMatch(text.AsSpan(scan));
                for (; counted < scan + length; counted++)
                    if (Agrees(counted, shift)) agreeing++;
                if ((length == agreeing && length != 0) || length > agreeing + Gain) break;
                if (Agrees(scan, shift)) agreeing--;
            }
            if (length == agreeing && scan < text.Length) continue;
            if (scan >= text.Length) length = 0;
            var forward = Forward(lastScan, lastPosition, scan);
            var backward = scan < text.Length ? Backward(lastScan, scan, position) : 0;
            if (lastScan + forward > scan - backward) (forward, backward) = Divide(lastScan, lastPosition, scan, position, forward, backward);
            Add(commands, lastScan, forward, lastPosition, scan - backward);
            lastScan = scan - backward;
            lastPosition = position - backward;
            shift = position - scan;
        }
        return commands;
    }

    private static void Add(List<PatchCommand> commands, int from, int similar, int position, int next)
    {
        if (similar > 0) commands.Add(new PatchCommand(PatchCommandKind.Correct, from, similar, position));
        if (from + similar < next) commands.Add(new PatchCommand(PatchCommandKind.Literal, from + similar, next - from - similar, 0));
    }

    private bool Agrees(int at, int shift) => (uint)(at + shift) < (uint)old.Length && old[at + shift] == text[at];

    private int AgreementAt(int at, int shift) =>
        (uint)(at + shift) < (uint)old.Length ? text.AsSpan(at).CommonPrefixLength(old.AsSpan(at + shift)) : 0;

    private int Forward(int lastScan, int lastPosition, int scan)
    {
        int score = 0, best = 0, length = 0;
        for (var i = 0; lastScan + i < scan && lastPosition + i < old.Length;)
        {
            if (old[lastPosition + i] == text[lastScan + i]) score++;
            i++;
            if (score * 2 - i > best * 2 - length) (best, length) = (score, i);
        }
        return length;
    }

    private int Backward(int lastScan, int scan, int position)
    {
        int score = 0, best = 0, length = 0;
        for (var i = 1; scan >= lastScan + i && position >= i; i++)
        {
            if (old[position - i] == text[scan - i]) score++;
            if (score * 2 - i > best * 2 - length) (best, length) = (score, i);
        }
        return length;
    }

    /// <summary>Where both extensions overlap, the cut lies where most bytes agree.</summary>
    private (int Forward, int Backward) Divide(int lastScan, int lastPosition, int scan, int position, int forward, int backward)
    {
        var overlap = lastScan + forward - (scan - backward);
        int score = 0, best = 0, cut = 0;
        for (var i = 0; i < overlap; i++)
        {
            if (text[lastScan + forward - overlap + i] == old[lastPosition + forward - overlap + i]) score++;
            if (text[scan - backward + i] == old[position - backward + i]) score--;
            if (score > best) (best, cut) = (score, i + 1);
        }
        return (forward + cut - overlap, backward - cut);
    }
}
