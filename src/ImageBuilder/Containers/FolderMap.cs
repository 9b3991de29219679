namespace Appliance.ImageBuilder.Containers;

/// <summary>Which folder of this machine is which in the container.</summary>
internal sealed class FolderMap
{
    private readonly List<(string Here, string There)> _folders = [];

    /// <summary>Adds a folder. Of two that hold a path, the deeper counts.</summary>
    public void Add(string here, string there)
    {
        _folders.Add((Path.TrimEndingDirectorySeparator(Path.GetFullPath(here)), there));
        _folders.Sort((one, other) => other.Here.Length - one.Here.Length);
    }

    /// <summary>The path in the container, or null when the container does not get it.</summary>
    public string? Find(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        foreach (var (here, there) in _folders)
        {
            if (full == here) return there;
            if (full.StartsWith(here + Path.DirectorySeparatorChar, StringComparison.Ordinal)) return $"{there}/{full[(here.Length + 1)..].Replace(Path.DirectorySeparatorChar, '/')}";
        }
        return null;
    }

    /// <summary>A text of the container with this machine's paths in it.</summary>
    public string Translate(string text) =>
        _folders.OrderByDescending(folder => folder.There.Length).Aggregate(text, (said, folder) => said.Replace(folder.There, folder.Here, StringComparison.Ordinal));
}
