
namespace Appliance.Supervisor.Boot;

/// <summary>
/// What became of versions, for a boot loader that keeps no note of it: lines <c>ROOTHASH good|bad</c> in <c>slots.txt</c> beside
/// the boot loader's own file. A version that is not in it has not proven itself.
/// </summary>
internal sealed class SlotVerdicts(string folder, EspFiles files)
{
    private const string Good = "good", Bad = "bad";
    private string FilePath => Path.Combine(folder, "slots.txt");

    /// <summary>The verdict on a version: good, bad or none.</summary>
    public SlotState? Find(string rootHash) => Read().GetValueOrDefault(rootHash) switch { Good => SlotState.Good, Bad => SlotState.Bad, _ => null };

    /// <summary>Notes a verdict down, or takes it away. Verdicts on versions that are in no slot any more go.</summary>
    public void Set(string rootHash, SlotState? verdict, IReadOnlyCollection<string> present)
    {
        var lines = Read();
        var before = Text(lines);
        lines.Remove(rootHash);
        if (verdict is { } state) lines[rootHash] = state == SlotState.Good ? Good : Bad;
        foreach (var gone in lines.Keys.Except(present).ToList()) lines.Remove(gone);
        if (Text(lines) is var after && after != before) files.Write(FilePath, after);
    }

    private SortedDictionary<string, string> Read()
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (!File.Exists(FilePath)) return lines;
        foreach (var line in File.ReadLines(FilePath))
            if (line.Split(' ') is [var hash, (Good or Bad) and var word]) lines[hash] = word;
        return lines;
    }

    private static string Text(SortedDictionary<string, string> lines) => string.Concat(lines.Select(line => $"{line.Key} {line.Value}\n"));
}
