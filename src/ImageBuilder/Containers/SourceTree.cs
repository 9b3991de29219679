using System.Formats.Tar;
using Appliance.Core;

namespace Appliance.ImageBuilder.Containers;

/// <summary>
/// A folder as the container gets it: without what git, IDEs and builds keep in it, with the modes and links that it has in git
/// (Windows' file systems have neither).
/// </summary>
/// <param name="folder">The folder.</param>
/// <param name="excluded">Folders that stay here, by their full paths.</param>
/// <param name="modes">Modes and links from git.</param>
internal sealed class SourceTree(string folder, IReadOnlyCollection<string> excluded, GitModes modes)
{
    private const UnixFileMode Readable = (UnixFileMode)0b110_100_100, Executable = (UnixFileMode)0b111_101_101;
    private static readonly string[] NeverSent = [".git", ".vs", ".idea", ".vscode"];

    private readonly string _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
    private readonly HashSet<string> _excluded = [.. excluded.Select(path => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)))];

    /// <summary>Everything in it, folders before what they hold, in the order of the names.</summary>
    public IEnumerable<FileSystemInfo> Entries() => Below(new DirectoryInfo(_root));

    /// <summary>Writes it below a folder of an archive.</summary>
    /// <param name="writer">The archive.</param>
    /// <param name="target">Where it goes, as a relative path.</param>
    /// <param name="onBytes">Gets the size of every file written.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task WriteAsync(TarWriter writer, string target, Action<long>? onBytes, CancellationToken cancellationToken)
    {
        await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.Directory, $"{target}/") { Mode = Executable }, cancellationToken);
        foreach (var entry in Entries())
        {
            var relative = Path.GetRelativePath(_root, entry.FullName).Replace(Path.DirectorySeparatorChar, '/');
            var name = $"{target}/{relative}";
            if (modes.IsLink(relative) && entry is FileInfo { LinkTarget: null } placeholder)
                await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = (await File.ReadAllTextAsync(placeholder.FullName, cancellationToken)).Trim() }, cancellationToken);
            else if (entry.LinkTarget is { } link)
                await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = link.Replace(Path.DirectorySeparatorChar, '/') }, cancellationToken);
            else if (entry is FileInfo file)
            {
                await using var content = Open(file);
                await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { Mode = ModeOf(file, relative), ModificationTime = file.LastWriteTimeUtc, DataStream = content }, cancellationToken);
                onBytes?.Invoke(file.Length);
            }
            else await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.Directory, $"{name}/") { Mode = ModeOf(entry, relative), ModificationTime = entry.LastWriteTimeUtc }, cancellationToken);
        }
    }

    private static FileStream Open(FileInfo file)
    {
        try
        {
            return file.OpenRead();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{file.FullName} cannot be read, and the container would get it: {e.Message}", "Mend its permissions or take it away.", e);
        }
    }

    private UnixFileMode ModeOf(FileSystemInfo entry, string relative) =>
        OperatingSystem.IsWindows() ? entry is DirectoryInfo || modes.IsExecutable(relative) ? Executable : Readable : entry.UnixFileMode;

    private IEnumerable<FileSystemInfo> Below(DirectoryInfo parent)
    {
        var entries = parent.EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal).ToList();
        // What compilers write beside a project; elsewhere bin/ is a folder like any other (overlays have some).
        var isProject = entries.Exists(entry => entry.Name.EndsWith("proj", StringComparison.Ordinal) && entry.Extension.Length > 5);
        foreach (var entry in entries)
        {
            if (NeverSent.Contains(entry.Name) || _excluded.Contains(entry.FullName) || isProject && entry is DirectoryInfo { Name: "bin" or "obj" }) continue;
            yield return entry;
            if (entry is DirectoryInfo { LinkTarget: null } directory)
                foreach (var inner in Below(directory)) yield return inner;
        }
    }
}
