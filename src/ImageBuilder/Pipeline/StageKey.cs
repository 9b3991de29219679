using System.Security.Cryptography;
using System.Text;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>Collects everything a stage's result depends on into one SHA-256.</summary>
internal sealed class StageKey : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Adds a named input. Name and value are length-prefixed, so that no two sets of inputs collide.</summary>
    public StageKey Add(string name, string? value)
    {
        Append(name);
        Append(value ?? "\0null");
        return this;
    }

    /// <summary>Adds a list, in order.</summary>
    public StageKey Add(string name, IEnumerable<string> values) => Add(name, string.Join('\n', values));

    /// <summary>Adds the content of a file.</summary>
    public StageKey AddFile(string name, string path)
    {
        using var stream = File.OpenRead(path);
        return Add(name, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }

    /// <summary>Adds a file tree: relative paths, kinds, executable bits, link targets and contents, in ordinal order.</summary>
    public StageKey AddTree(string name, string folder, Func<string, bool>? include = null)
    {
        Append(name);
        var root = new DirectoryInfo(folder);
        var entries = root.EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Select(entry => (Entry: entry, Relative: Path.GetRelativePath(folder, entry.FullName)))
            .Where(item => include?.Invoke(item.Relative) ?? true)
            .OrderBy(item => item.Relative, StringComparer.Ordinal);
        foreach (var (entry, relative) in entries)
        {
            if (entry.LinkTarget is { } target) Add($"link {relative}", target);
            else if (entry is DirectoryInfo) Add($"folder {relative}", "");
            else AddFile($"file {relative} {IsExecutable(entry)}", entry.FullName);
        }
        return this;
    }

    /// <summary>The key so far, as 64 lower-case hex digits.</summary>
    public string Value() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    public void Dispose() => _hash.Dispose();

    private static bool IsExecutable(FileSystemInfo entry) =>
        !OperatingSystem.IsWindows() && (entry.UnixFileMode & UnixFileMode.UserExecute) != 0;

    private void Append(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        _hash.AppendData(BitConverter.GetBytes(bytes.Length));
        _hash.AppendData(bytes);
    }
}
