using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads;

/// <summary>
/// Applies a release as one thing: in the end the new one is complete and ready, or the old one is back. Every step that must
/// be known after a power cut is on the disk before it is taken, and every step may be taken again.
/// </summary>
/// <param name="store">The workload's releases.</param>
/// <param name="engine">What runs them.</param>
/// <param name="timing">How long a release may take.</param>
/// <param name="time">The clock.</param>
internal sealed class ReleaseTransaction(WorkloadStore store, IWorkloadEngine engine, ReleaseTiming timing, TimeProvider time)
{
    /// <summary>Outcomes in the history.</summary>
    public const string Applied = "applied", Reverted = "reverted", Failed = "failed";

    /// <summary>A release in whose application the power goes this often may be the reason.</summary>
    private const int MostAttempts = 3;

    private const int MostShown = 5, LongestMessage = 300, LongestDetail = 4000;

    /// <summary>Applies a release whose payload is in the store and whose images the engine has.</summary>
    /// <param name="version">Its version.</param>
    /// <param name="force">Tries a version again that was not kept.</param>
    /// <param name="cancel">Gives the release up: the old one is brought back.</param>
    /// <param name="stop">Ends the program: the next one goes on.</param>
    /// <returns>How it ended.</returns>
    /// <exception cref="UserError">It was refused, and nothing was changed.</exception>
    public async Task<ReleaseEvent> ApplyAsync(string version, bool force, CancellationToken cancel, CancellationToken stop)
    {
        await ResumeAsync(version, stop);
        var state = store.Read();
        if (!force && state.WhyNotKept(version) is { } before) throw new UserError($"Version {version} was tried before and not kept: {before}", "Publish a newer version, or insist with --force.");
        var release = await store.ReadReleaseAsync(version, stop);
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop)) await engine.CheckAsync(release, either.Token);
        store.Write(state with { Trial = new ReleaseTrial { Version = version, From = state.Current, Phase = TrialPhase.Applying } });
        return await GoOnAsync(null, cancel, stop);
    }

    /// <summary>Ends what an earlier program left half done; null when there was nothing.</summary>
    /// <param name="stop">Ends the program: the next one goes on.</param>
    public Task<ReleaseEvent?> ResumeAsync(CancellationToken stop) => ResumeAsync(null, stop);

    /// <summary>Does so, and leaves the payload of a version that is wanted next.</summary>
    private async Task<ReleaseEvent?> ResumeAsync(string? wanted, CancellationToken stop)
    {
        var state = store.Read();
        if (state.Trial is not { } trial) return null;
        if (trial.Phase == TrialPhase.Applying)
            store.Write(state with
            {
                Trial = trial.Attempts < MostAttempts ? trial with { Attempts = trial.Attempts + 1 }
                    : trial with { Phase = TrialPhase.Reverting, Reason = $"the device was interrupted {trial.Attempts} times while it was applied" },
            });
        return await GoOnAsync(wanted, CancellationToken.None, stop);
    }

    private async Task<ReleaseEvent> GoOnAsync(string? wanted, CancellationToken cancel, CancellationToken stop)
    {
        try
        {
            return await TakeStepsAsync(wanted, cancel, stop);
        }
        // Nobody pulled the plug: the next try is no second attempt.
        catch (Exception e) when (e is EngineUnavailableException || e is OperationCanceledException && stop.IsCancellationRequested)
        {
            if (store.Read() is { Trial: { Phase: TrialPhase.Applying } trial } state) store.Write(state with { Trial = trial with { Attempts = trial.Attempts - 1 } });
            throw;
        }
    }

    /// <summary>Takes the steps that are left, from what is on the disk.</summary>
    private async Task<ReleaseEvent> TakeStepsAsync(string? wanted, CancellationToken cancel, CancellationToken stop)
    {
        while (true)
        {
            var state = store.Read();
            var trial = state.Trial!;
            switch (trial.Phase)
            {
                case TrialPhase.Applying:
                    var reason = await TryAsync(trial.Version, cancel, stop);
                    store.Write(reason is null
                        // From here on the new one is kept.
                        ? state with { Current = trial.Version, Previous = trial.From == trial.Version ? state.Previous : trial.From, Trial = trial with { Phase = TrialPhase.Pruning } }
                        : state with { Trial = trial with { Phase = TrialPhase.Reverting, Reason = reason } });
                    break;
                case TrialPhase.Pruning:
                    return End(state, wanted, Applied, trial, trial.From is { } old && old != trial.Version ? await PruneAsync(old, trial.Version, stop) : "");
                default:
                    return End(state, wanted, trial.From == trial.Version ? Failed : Reverted, trial, trial.Reason + await RevertAsync(trial, stop));
            }
        }
    }

    /// <summary>Applies and proves a release; null when it is to be kept, else why not.</summary>
    private async Task<string?> TryAsync(string version, CancellationToken cancel, CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop);
        try
        {
            var release = await store.ReadReleaseAsync(version, either.Token);
            await engine.ApplyAsync(release, force: false, either.Token);
            return await ProveAsync(release, either.Token);
        }
        catch (UserError e)
        {
            return e.Message;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return "it was cancelled";
        }
    }

    /// <summary>Waits until every object is ready and stays so; null then, else what is not.</summary>
    private async Task<string?> ProveAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        long? readySince = null;
        var failing = new Dictionary<ObjectIdentity, long>();
        while (true)
        {
            var objects = await engine.ReadStatusAsync(release, cancellationToken);
            foreach (var found in objects)
            {
                if (found.Readiness.State == ReadinessState.Failed) failing.TryAdd(found.Object, time.GetTimestamp());
                else failing.Remove(found.Object);
            }
            var failed = objects.Where(found => failing.TryGetValue(found.Object, out var since) && time.GetElapsedTime(since) >= timing.Grace).ToList();
            if (failed.Count > 0) return Words(failed);
            var waiting = objects.Where(found => found.Readiness.State != ReadinessState.Ready).ToList();
            readySince = waiting.Count > 0 ? null : readySince ?? time.GetTimestamp();
            if (readySince is { } since && time.GetElapsedTime(since) >= timing.Dwell) return null;
            if (time.GetElapsedTime(start) > timing.Timeout + timing.Dwell) return $"not ready after {timing.Timeout.TotalSeconds:0} s: {Words(waiting)}";
            await Task.Delay(timing.Interval, time, cancellationToken);
        }
    }

    /// <summary>Deletes what a release has no longer; says what stays of it.</summary>
    private async Task<string> PruneAsync(string gone, string? kept, CancellationToken stop)
    {
        try
        {
            var pruned = await engine.PruneAsync(await store.ReadReleaseAsync(gone, stop), kept is null ? null : await store.ReadReleaseAsync(kept, stop), stop);
            return pruned.Kept.Count == 0 ? "" : $"Kept of version {gone}: {string.Join("; ", pruned.Kept.Take(MostShown).Select(left => $"{left.Object}: {left.Reason}"))}";
        }
        catch (UserError e)
        {
            return $"What version {gone} had more could not be deleted: {e.Message}";
        }
    }

    /// <summary>Brings the old release back; what is to be added to the reason. That it cannot be had must not stop a newer one from coming.</summary>
    private async Task<string> RevertAsync(ReleaseTrial trial, CancellationToken stop)
    {
        if (trial.From == trial.Version) return ""; // it was only applied again
        try
        {
            // First: what only the new one had may be what keeps the old one out, a webhook that refuses everything.
            await PruneAsync(trial.Version, trial.From, stop);
            var old = trial.From is null ? null : await store.ReadReleaseAsync(trial.From, stop);
            if (old is not null) await engine.ApplyAsync(old, force: true, stop);
            return old is not null && await ProveAsync(old, stop) is { } still ? $" Version {trial.From} was brought back and is not ready either: {still}" : "";
        }
        catch (UserError e)
        {
            return $" Version {trial.From} could not be brought back: {e.Message}";
        }
    }

    private ReleaseEvent End(WorkloadState state, string? wanted, string outcome, ReleaseTrial trial, string detail)
    {
        var entry = new ReleaseEvent(time.GetUtcNow(), outcome, trial.Version, trial.From, Shorten(detail, LongestDetail));
        var ended = (state with { Trial = null }).With(entry);
        store.Write(ended);
        store.KeepOnly(ended.Current, ended.Previous, wanted);
        return entry;
    }

    private static string Words(List<ObjectStatus> objects) =>
        string.Join("; ", objects.Take(MostShown).Select(found => $"{found.Object}: {Shorten(found.Readiness.Message, LongestMessage)}")) + (objects.Count > MostShown ? $"; and {objects.Count - MostShown} more" : "");

    private static string Shorten(string text, int longest) => text.Length <= longest ? text : text[..longest] + "…";
}
