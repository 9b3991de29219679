using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// The boot entries in a folder. A cut during a rename leaves two names of one entry, and one of them counts: the name without
/// a counter, which boots before any other, else the one with the fewest tries left, so that a try that began is never forgotten.
/// </summary>
internal sealed class BootEntries(string folder, EspFiles files)
{
    /// <summary>The folder.</summary>
    public string Folder => folder;

    /// <summary>The entry of the slot with this label; null when there is none.</summary>
    public BootEntry? Find(string label) => List().Where(entry => entry.Starts(label)).Order(Strongest).FirstOrDefault();

    /// <summary>Gives an entry other tries; null for none counted.</summary>
    public void Recount(BootEntry entry, BootCount? count)
    {
        var path = entry.PathWith(count);
        if (path.Equals(entry.Path, StringComparison.OrdinalIgnoreCase)) return;
        files.Sync(entry.Path);
        files.Rename(entry.Path, path);
    }

    /// <summary>
    /// Clears what cuts left: names without content, and second names. A second name is not deleted where it may stand for the
    /// first one's clusters: that would free them. It is set aside under a name that nothing boots; it takes no space. A
    /// half-written entry may be such a name, too: of the entry that an installation ended with, which may be what runs.
    /// </summary>
    public void Tidy()
    {
        foreach (var empty in Files("*" + BootEntry.Ending).Where(file => file.Length == 0)) files.Delete(empty.FullName);
        foreach (var names in List().GroupBy(entry => entry.Stem, StringComparer.OrdinalIgnoreCase).Select(group => group.Order(Strongest).ToList()))
        {
            foreach (var second in names.Skip(1))
            {
                if (files.MayShareClusters(names[0].Path, second.Path)) files.SetAside(second.Path);
                else files.Delete(second.Path);
            }
        }
        var entries = List().ToList();
        foreach (var partial in Partial().Where(file => file.Length > 0 && entries.Any(entry => files.MayShareClusters(entry.Path, file.FullName)))) files.SetAside(partial.FullName);
    }

    /// <summary>The files an update replaces: every entry, and every half-written one, but for the slots that stay.</summary>
    /// <param name="stay">Labels of the slots whose entries stay.</param>
    /// <param name="partial">The half-written entry that the update goes on with.</param>
    public IReadOnlyList<string> FindReplaced(IReadOnlyCollection<string> stay, string partial) =>
    [
        .. List().Where(entry => !stay.Any(entry.Starts)).Select(entry => entry.Path),
        .. Partial().Select(file => file.FullName).Where(path => path != partial),
    ];

    private static Comparer<BootEntry> Strongest { get; } = Comparer<BootEntry>.Create((a, b) =>
        (a.Count is not null, a.Count?.Left, -a.Count?.Done).CompareTo((b.Count is not null, b.Count?.Left, -b.Count?.Done)));

    private IEnumerable<BootEntry> List() => Files("*" + BootEntry.Ending).Where(file => file.Length > 0 && file.Name[0] != '.').Select(file => BootEntry.Parse(file.FullName));

    private IEnumerable<FileInfo> Partial() => Files(".*.part");

    private IEnumerable<FileInfo> Files(string pattern)
    {
        var info = new DirectoryInfo(folder);
        var options = new EnumerationOptions { MatchCasing = MatchCasing.CaseInsensitive, AttributesToSkip = FileAttributes.Directory };
        return info.Exists ? [.. info.EnumerateFiles(pattern, options).OrderBy(file => file.Name, StringComparer.Ordinal)] : [];
    }
}
