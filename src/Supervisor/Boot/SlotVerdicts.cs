using System.Globalization;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// What became of versions, for a boot loader that keeps no note of it: lines <c>ROOTHASH good|bad</c> in <c>slots.txt</c> beside
/// the boot loader's own file. A version that is not in it has not proven itself; one that has <c>ROOTHASH again NUMBER</c> was
/// given its try back so often.
/// </summary>
internal sealed class SlotVerdicts(string folder, EspFiles files)
{
    private const string Good = "good", Bad = "bad", Again = "again";
    private string FilePath => Path.Combine(folder, "slots.txt");

    /// <summary>The verdict on a version: good, bad or none.</summary>
    public SlotState? Find(string rootHash) => Read().GetValueOrDefault(rootHash) switch { Good => SlotState.Good, Bad => SlotState.Bad, _ => null };

    /// <summary>Notes a verdict down, or takes it away, and the tries given back with it. What is said of versions that are in no slot any more goes.</summary>
    public void Set(string rootHash, SlotState? verdict, IReadOnlyCollection<string> present) =>
        Set(rootHash, verdict is not { } state ? null : state == SlotState.Good ? Good : Bad, present);

    /// <summary>How often a version without a verdict was given its try back.</summary>
    public int CountGivenBack(string rootHash) => ReadCount(Read().GetValueOrDefault(rootHash, ""));

    /// <summary>Counts a try that is given back to a version without a verdict.</summary>
    public void GiveBack(string rootHash, IReadOnlyCollection<string> present) =>
        Set(rootHash, string.Create(CultureInfo.InvariantCulture, $"{Again} {CountGivenBack(rootHash) + 1}"), present);

    private void Set(string rootHash, string? word, IReadOnlyCollection<string> present)
    {
        var lines = Read();
        var before = Text(lines);
        lines.Remove(rootHash);
        if (word is not null) lines[rootHash] = word;
        foreach (var gone in lines.Keys.Except(present).ToList()) lines.Remove(gone);
        if (Text(lines) is var after && after != before) files.Write(FilePath, after);
    }

    private SortedDictionary<string, string> Read()
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (!File.Exists(FilePath)) return lines;
        foreach (var line in File.ReadLines(FilePath))
            if (line.Split(' ', 2) is [var hash, var word] && (word is Good or Bad || ReadCount(word) > 0)) lines[hash] = word;
        return lines;
    }

    private static int ReadCount(string word) => word.Split(' ') is [Again, var text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;

    private static string Text(SortedDictionary<string, string> lines) => string.Concat(lines.Select(line => $"{line.Key} {line.Value}\n"));
}
