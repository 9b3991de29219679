using System.Globalization;

namespace Appliance.Core.Tuf.Publishing;

/// <summary>
/// The folder <c>metadata/</c> of a repository as its one writer sees it: files appear whole or not at all, and all but
/// <c>timestamp.json</c> are written once.
/// </summary>
internal sealed class MetadataFolder : IDisposable
{
    private const string TemporarySuffix = ".tmp";
    private const int LockedOnLinux = 11, LockedOnMac = 35, LockedOnWindows = unchecked((int)0x80070020); // EWOULDBLOCK, sharing violation

    private readonly string _path;
    private readonly Action<string>? _beforeStep;
    private readonly FileStream _lock;

    /// <summary>Takes the folder, which is made if it is not there, and clears what a killed writer left.</summary>
    /// <param name="repository">The repository's folder.</param>
    /// <param name="beforeStep">Called before every change of a file; the crash tests stop there.</param>
    /// <exception cref="UserError">Another writer has it.</exception>
    public MetadataFolder(string repository, Action<string>? beforeStep)
    {
        _path = Path.Combine(repository, "metadata");
        _beforeStep = beforeStep;
        try
        {
            Directory.CreateDirectory(_path);
            _lock = new FileStream(Path.Combine(_path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult is LockedOnLinux or LockedOnMac or LockedOnWindows)
        {
            throw new UserError($"{repository} is being published to by another process.", "Wait for it to end, then try again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{_path} cannot be written: {e.Message}", "Run this as the user who owns the repository, on a file system that can be written.", e);
        }
        foreach (var leftover in Directory.EnumerateFiles(_path, $".*{TemporarySuffix}")) File.Delete(leftover);
    }

    public void Dispose() => _lock.Dispose();

    public static string Where(string name) => $"metadata/{name}";

    public byte[]? TryRead(string name, int limit)
    {
        var file = new FileInfo(Path.Combine(_path, name));
        if (!file.Exists) return null;
        if (file.Length > limit) throw MetadataError.Damaged(Where(name), $"it has {file.Length} bytes, and {limit} is the most there may be");
        return File.ReadAllBytes(file.FullName);
    }

    public byte[] Read(string name, int limit) => TryRead(name, limit) ?? throw new UserError($"{Where(name)} is missing in the repository.", "Restore it from a backup or a mirror.");

    /// <summary>The highest N of the files <c>N.ROLE.json</c>, or 0: also of those that a killed writer left and nothing refers to.</summary>
    public long HighestVersion(string role) => ReadVersions(_path, $"*.{role}.json").GetValueOrDefault(role);

    /// <summary>The same for every role, without taking the folder.</summary>
    /// <param name="repository">The repository's folder.</param>
    public static IReadOnlyDictionary<string, long> ReadVersions(string repository) => ReadVersions(Path.Combine(repository, "metadata"), "*.json");

    private static Dictionary<string, long> ReadVersions(string path, string pattern)
    {
        var highest = new Dictionary<string, long>(StringComparer.Ordinal);
        if (!Directory.Exists(path)) return highest;
        foreach (var file in Directory.EnumerateFiles(path, pattern))
            if (Path.GetFileName(file).Split('.') is [var number, var role, "json"] && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var version)) highest[role] = Math.Max(highest.GetValueOrDefault(role), version);
        return highest;
    }

    /// <summary>Writes a file that is never written again. The same bytes twice are no error, others are.</summary>
    public void WriteOnce(string name, ReadOnlySpan<byte> content)
    {
        if (TryRead(name, int.MaxValue) is { } present)
        {
            if (content.SequenceEqual(present)) return;
            throw new UserError($"{Where(name)} is there already, with another content.", "A published file is never rewritten. Move the file away if it was put there by hand.");
        }
        Replace(name, content);
    }

    /// <summary>Writes a file, or replaces it whole.</summary>
    public void Replace(string name, ReadOnlySpan<byte> content)
    {
        // Not DurableFile: a test must be able to stop between its steps, with the temporary file left as a power cut leaves it.
        var temporary = Path.Combine(_path, $".{name}{TemporarySuffix}");
        _beforeStep?.Invoke($"write {name}");
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = DurableFile.Readable;
        using (var stream = new FileStream(temporary, options))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }
        _beforeStep?.Invoke($"rename {name}");
        File.Move(temporary, Path.Combine(_path, name), overwrite: true);
        _beforeStep?.Invoke($"sync {name}");
        DurableFile.SyncFolder(_path);
    }
}
