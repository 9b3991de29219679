using System.Diagnostics;
using Appliance.ImageBuilder.Pipeline;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Shows the stages of a long verb to an observer.</summary>
internal sealed class StageClock(IBuildObserver observer)
{
    /// <summary>Runs a stage; it reports bytes done and in all.</summary>
    public async Task<T> RunAsync<T>(string stage, Func<Action<long, long>, Task<T>> work)
    {
        var clock = Stopwatch.StartNew();
        observer.Started(stage);
        try
        {
            var result = await work((done, total) => observer.Progress(stage, done, total));
            observer.Finished(stage, clock.Elapsed, cached: false);
            return result;
        }
        catch
        {
            observer.Failed(stage, clock.Elapsed);
            throw;
        }
    }
}
