using Appliance.Core;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>
/// Results of stages, one folder each, named by stage and key. A result appears under its name only when it is whole
/// (built in a folder beside it, then renamed); one build at a time holds the cache.
/// </summary>
internal sealed class StageCache : IDisposable
{
    internal const string Partial = ".partial";
    private const int KeptPerStage = 3;
    private readonly FileStream _lock;

    private StageCache(string folder, FileStream held) => (Folder, _lock) = (folder, held);

    /// <summary>Where the results are.</summary>
    public string Folder { get; }

    /// <summary>Opens the cache, alone, and clears away what an interrupted build left.</summary>
    /// <exception cref="UserError">Another build holds it, or the folder cannot be made.</exception>
    public static async Task<StageCache> OpenAsync(string folder)
    {
        FileStream held;
        try
        {
            Directory.CreateDirectory(folder);
            held = new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UserError($"The build cache {folder} cannot be written: {e.Message}", "Choose another with --cache.", e);
        }
        catch (IOException e)
        {
            throw new UserError($"The build cache {folder} is in use by another build, or cannot be opened: {e.Message}", "Wait for that build, or choose another cache with --cache.", e);
        }
        foreach (var leftover in Directory.EnumerateDirectories(folder, $"*{Partial}")) await Sandbox.DeleteAsync(leftover);
        return new StageCache(folder, held);
    }

    /// <summary>The result for a key, or null. Using it keeps it from being pruned.</summary>
    public string? Find(string stage, string key)
    {
        var path = PathOf(stage, key);
        if (!Directory.Exists(path)) return null;
        Directory.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        return path;
    }

    /// <summary>Builds a result in a temporary folder and gives it its name, replacing an older one of the same key.</summary>
    public async Task<string> CreateAsync(string stage, string key, Func<string, Task> build)
    {
        var path = PathOf(stage, key);
        var partial = path + Partial;
        Directory.CreateDirectory(partial);
        try
        {
            await build(partial);
            await Sandbox.DeleteAsync(path);
            Directory.Move(partial, path);
        }
        catch
        {
            await Sandbox.DeleteAsync(partial);
            throw;
        }
        return path;
    }

    /// <summary>Deletes all but the most recently used results of every stage.</summary>
    public async Task PruneAsync()
    {
        var old = Directory.EnumerateDirectories(Folder, "*-????????????????")
            .GroupBy(path => Path.GetFileName(path)[..^17])
            .SelectMany(group => group.OrderByDescending(Directory.GetLastWriteTimeUtc).Skip(KeptPerStage));
        foreach (var path in old) await Sandbox.DeleteAsync(path);
    }

    public void Dispose() => _lock.Dispose();

    private string PathOf(string stage, string key) => Path.Combine(Folder, $"{stage}-{key[..16]}");
}
