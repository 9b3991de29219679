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
    public const string Applied = "applied", Reverted = "reverted", Failed = "failed", Removed = "removed";

    /// <summary>A release in whose application the power goes this often may be the reason.</summary>
    private const int MostAttempts = 3;

    /// <summary>How the reason of a release begins in whose application the power went too often.</summary>
    public const string Interrupted = "the device was interrupted";

    private const int MostShown = 5, LongestMessage = 300, LongestDetail = 4000;

    /// <summary>Images that other workloads have, which share one where their content is the same.</summary>
    public Func<CancellationToken, Task<IReadOnlyCollection<string>>> ReadOthersImages { get; init; } = _ => Task.FromResult<IReadOnlyCollection<string>>([]);

    /// <summary>The engine's name, for what is remembered.</summary>
    public string EngineName { get; init; } = "";

    /// <summary>Which images may run.</summary>
    public SignaturePolicy Policy { get; init; } = new();

    /// <summary>Called with what is being done, in a word.</summary>
    public Action<string>? OnPhase { get; init; }

    /// <summary>Applies a release whose payload is in the store.</summary>
    /// <param name="version">Its version.</param>
    /// <param name="force">Tries a version again that was not kept.</param>
    /// <param name="cancel">Gives the release up: the old one is brought back.</param>
    /// <param name="stop">Ends the program: the next one goes on.</param>
    /// <returns>How it ended.</returns>
    /// <exception cref="UserError">It was refused, and nothing was changed.</exception>
    public Task<ReleaseEvent> ApplyAsync(string version, bool force, CancellationToken cancel, CancellationToken stop) => ApplyAsync(version, force, null, cancel, stop);

    private async Task<ReleaseEvent> ApplyAsync(string version, bool force, string? left, CancellationToken cancel, CancellationToken stop)
    {
        await ResumeAsync(version, stop);
        var state = store.Read();
        if (!force && state.WhyNotKept(version) is { } before) throw new UserError($"Version {version} was tried before and not kept: {before}", "Publish a newer version, or insist with --force.");
        var release = await store.ReadReleaseAsync(version, stop);
        RequireSigned(release);
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop))
        {
            OnPhase?.Invoke("checking");
            await engine.CheckAsync(release, either.Token);
            OnPhase?.Invoke("importing");
            // Before anything is on trial: that there is no room says nothing about the release.
            await engine.ImportAsync(release, store.PayloadOf(version), either.Token);
        }
        store.Write(state with { Trial = new ReleaseTrial { Version = version, From = state.Current, Phase = TrialPhase.Applying, Left = left } });
        return await GoOnAsync(null, cancel, stop);
    }

    /// <summary>Goes back to the release before, which is proven like any other. The one that is left is not taken again by itself.</summary>
    /// <param name="by">Who wants it, in words.</param>
    /// <param name="cancel">Gives it up: the present one stays.</param>
    /// <param name="stop">Ends the program: the next one goes on.</param>
    /// <exception cref="UserError">There is none to go back to.</exception>
    public async Task<ReleaseEvent> GoBackAsync(string by, CancellationToken cancel, CancellationToken stop)
    {
        await ResumeAsync(stop);
        var state = store.Read();
        if (state is not { Current: not null, Previous: { } previous }) throw new UserError("There is no release to go back to.", "Only the release before the present one is kept.");
        return await ApplyAsync(previous, force: true, $"{by} went back from it", cancel, stop);
    }

    /// <summary>Takes the workload away. What holds data stays, unless its annotation lets it go.</summary>
    /// <param name="stop">Ends the program: the next one goes on.</param>
    /// <exception cref="UserError">The engine refuses; the next program tries again.</exception>
    public async Task<ReleaseEvent> RemoveAsync(CancellationToken stop)
    {
        await ResumeAsync(stop);
        var state = store.Read();
        if (state.Current is not { } current)
        {
            store.Delete();
            return new ReleaseEvent(time.GetUtcNow(), Removed, "", null, "there was no release of it");
        }
        store.Write(state with { Trial = new ReleaseTrial { Version = current, Phase = TrialPhase.Removing } });
        return await GoOnAsync(null, CancellationToken.None, stop);
    }

    /// <summary>Notes that what is being applied is given up; the next program brings the old release back.</summary>
    public static void GiveUp(WorkloadStore store, string reason)
    {
        if (store.Read() is { Trial: { Phase: TrialPhase.Applying } trial } state) store.Write(state with { Trial = trial with { Phase = TrialPhase.Reverting, Reason = reason } });
    }

    /// <summary>Ends what an earlier program left half done; null when there was nothing.</summary>
    /// <param name="stop">Ends the program: the next one goes on.</param>
    public Task<ReleaseEvent?> ResumeAsync(CancellationToken stop) => ResumeAsync(null, stop);

    /// <summary>Does so, and leaves the payload of a version that is wanted next.</summary>
    public async Task<ReleaseEvent?> ResumeAsync(string? wanted, CancellationToken stop)
    {
        var state = store.Read();
        if (state.Trial is not { } trial) return null;
        if (trial.Phase == TrialPhase.Applying)
            store.Write(state with
            {
                Trial = trial.Attempts < MostAttempts ? trial with { Attempts = trial.Attempts + 1 }
                    : trial with { Phase = TrialPhase.Reverting, Reason = $"{Interrupted} {trial.Attempts} times while it was applied" },
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
                        ? state with { Current = trial.Version, Applied = WorkloadStore.MarkOf(await store.ReadReleaseAsync(trial.Version, stop), EngineName), Previous = trial.From == trial.Version ? state.Previous : trial.From, Trial = trial with { Phase = TrialPhase.Pruning } }
                        : state with { Trial = trial with { Phase = TrialPhase.Reverting, Reason = reason } });
                    break;
                case TrialPhase.Pruning:
                    return await EndAsync(state, wanted, Applied, trial, trial.From is { } old && old != trial.Version ? await PruneAsync(old, trial.Version, stop) : "", stop);
                case TrialPhase.Removing:
                    return await RemoveAsync(trial, stop);
                default:
                    return await EndAsync(state, wanted, trial.From == trial.Version ? Failed : Reverted, trial, trial.Reason + await RevertAsync(trial, stop), stop);
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
            RequireSigned(release); // it may have been begun under an image that asked for less
            await engine.ImportAsync(release, store.PayloadOf(version), either.Token);
            OnPhase?.Invoke("applying");
            await engine.ApplyAsync(release, force: false, either.Token);
            OnPhase?.Invoke("proving");
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
            return Left(gone, pruned);
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
        OnPhase?.Invoke("reverting");
        try
        {
            // First: what only the new one had may be what keeps the old one out, a webhook that refuses everything.
            await PruneAsync(trial.Version, trial.From, stop);
            var old = trial.From is null ? null : await store.ReadReleaseAsync(trial.From, stop);
            if (old is not null)
            {
                RequireSigned(old);
                await engine.ImportAsync(old, store.PayloadOf(old.Version), stop);
                await engine.ApplyAsync(old, force: true, stop);
            }
            return old is not null && await ProveAsync(old, stop) is { } still ? $" Version {trial.From} was brought back and is not ready either: {still}" : "";
        }
        catch (UserError e)
        {
            return $" Version {trial.From} could not be brought back: {e.Message}";
        }
    }

    private async Task<ReleaseEvent> EndAsync(WorkloadState state, string? wanted, string outcome, ReleaseTrial trial, string detail, CancellationToken stop)
    {
        var entry = new ReleaseEvent(time.GetUtcNow(), outcome, trial.Version, trial.From, Shorten(detail, LongestDetail));
        var ended = state with { Trial = null };
        // What somebody went back from is not taken again by itself.
        if (outcome == Applied && trial is { Left: { } left, From: { } from }) ended = ended.With(new ReleaseEvent(entry.At, Reverted, from, trial.Version, left));
        ended = ended.With(entry);
        await ForgetImagesAsync([.. ended.Kept, wanted], stop);
        store.Write(ended);
        store.KeepOnly([.. ended.Kept, wanted]);
        return entry;
    }

    /// <summary>Images that only releases have which go now. Those of the release before stay: going back must not need a network.</summary>
    private async Task ForgetImagesAsync(IReadOnlyCollection<string?> kept, CancellationToken stop)
    {
        var (staying, leaving) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var version in store.Versions) (kept.Contains(version) ? staying : leaving).UnionWith(await store.ReadImagesAsync(version, stop));
        leaving.ExceptWith(staying);
        if (leaving.Count > 0) leaving.ExceptWith(await ReadOthersImages(stop));
        if (leaving.Count > 0) await engine.ForgetImagesAsync(leaving, stop);
    }

    private async Task<ReleaseEvent> RemoveAsync(ReleaseTrial trial, CancellationToken stop)
    {
        var detail = "";
        WorkloadRelease? release = null;
        try
        {
            release = await store.ReadReleaseAsync(trial.Version, stop);
        }
        catch (UserError e)
        {
            detail = $"What it had is not known, and stays: {e.Message}"; // nobody could ever remove it otherwise
        }
        if (release is not null) detail = Left(trial.Version, await engine.PruneAsync(release, null, stop));
        await ForgetImagesAsync([], stop);
        store.Delete();
        return new ReleaseEvent(time.GetUtcNow(), Removed, trial.Version, null, detail);
    }

    /// <exception cref="UserError">The image's rules do not let it run.</exception>
    private void RequireSigned(WorkloadRelease release)
    {
        if (Policy.FindFaults(release) is { Count: > 0 } unsigned)
            throw new UserError($"This device does not run the images of {release.Id} {release.Version}:{FaultLines.Of(unsigned, MostShown)}", "Its image says which signatures they must carry (workloads.signatures): have the workload ask for them (signatures in its workload.yaml), and publish it as a new version.");
    }

    private static string Left(string version, PrunedObjects pruned) =>
        pruned.Kept.Count == 0 ? "" : $"Kept of version {version}: {string.Join("; ", pruned.Kept.Take(MostShown).Select(left => $"{left.Object}: {left.Reason}"))}";

    private static string Words(List<ObjectStatus> objects) =>
        string.Join("; ", objects.Take(MostShown).Select(found => $"{found.Object}: {Shorten(found.Readiness.Message, LongestMessage)}")) + (objects.Count > MostShown ? $"; and {objects.Count - MostShown} more" : "");

    private static string Shorten(string text, int longest) => text.Length <= longest ? text : text[..longest] + "…";
}
