using System.Collections.Concurrent;
using System.Diagnostics;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>Runs stages through the cache and tells the observer; remembers what each cost for <c>build.json</c>.</summary>
internal sealed class StageRunner(StageCache cache, IBuildObserver observer)
{
    private readonly ConcurrentDictionary<string, StageRecord> _records = new();

    /// <summary>What every stage of this build cost, by name.</summary>
    public IReadOnlyDictionary<string, StageRecord> Records => _records;

    /// <summary>Gives the result of a stage: from the cache when its key is there, else by running it.</summary>
    /// <param name="name">Name of the stage.</param>
    /// <param name="key">Everything the result depends on.</param>
    /// <param name="fresh">True runs the stage even when the cache has a result.</param>
    /// <param name="build">Builds the result into the folder it is given.</param>
    /// <param name="identity">Names the result more exactly than its key does, from key and folder; the key when null.</param>
    public async Task<StageResult> RunAsync(string name, StageKey key, bool fresh, Func<string, Task> build, Func<string, string, string>? identity = null)
    {
        var value = key.Value();
        key.Dispose();
        var folder = fresh ? null : cache.Find(name, value);
        var cached = folder is not null;
        await MeasureAsync(name, value, cached, async () => folder ??= await cache.CreateAsync(name, value, build));
        return new StageResult(name, folder!, identity?.Invoke(value, folder!) ?? value);
    }

    /// <summary>Runs a step whose result is not kept in the cache.</summary>
    public async Task MeasureAsync(string name, string key, bool cached, Func<Task> work)
    {
        var clock = Stopwatch.StartNew();
        if (!cached) observer.Started(name);
        try
        {
            await work();
        }
        catch
        {
            observer.Failed(name, clock.Elapsed);
            throw;
        }
        observer.Finished(name, clock.Elapsed, cached);
        _records[name] = new StageRecord(key, clock.Elapsed, cached);
    }
}
