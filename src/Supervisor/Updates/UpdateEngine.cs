using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>
/// Updates the device: one job at a time, every step of it in the journal (<see cref="UpdateStore"/>) before the next begins,
/// the root's part done by the worker. What a boot means is found out by <see cref="BootReview"/>, when to act by
/// <see cref="UpdateSchedule"/>.
/// </summary>
internal sealed class UpdateEngine(UpdateStore store, IWorker worker, IBaseline baseline, IDeviceBoot device, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan SlotsLimit = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _committing = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private UpdateState _state = store.Read();
    private UpdateJob? _current;
    private int _lastJob;
    private Func<CancellationToken, Task>? _followUp;

    /// <summary>Raised when the state, the slots or the job at hand change.</summary>
    public event Action? Changed;

    /// <summary>Raised with every new job.</summary>
    public event Action<UpdateJob>? JobStarted;

    /// <summary>What the engine remembers.</summary>
    public UpdateState State
    {
        get { lock (_lock) return _state; }
    }

    /// <summary>The job at hand, or the last one.</summary>
    public UpdateJob? Job
    {
        get { lock (_lock) return _current; }
    }

    /// <summary>Both slots as they were when they were last read; empty before that.</summary>
    public IReadOnlyList<SlotStatus> Slots { get; private set; } = [];

    /// <summary>True between asking for the restart and its coming.</summary>
    public bool Rebooting { get; private set; }

    private bool IsBusy => _current?.View.State == JobState.Running;

    /// <summary>Finds out what this boot means, before anything else is done; what follows from it is done by <see cref="FollowUpAsync"/>.</summary>
    public async Task<BootOutcome> ReviewBootAsync(CancellationToken cancellationToken)
    {
        var trial = device.ReadTrial();
        var known = true;
        if (State.Phase != EnginePhase.Idle || trial is not null) known = await RefreshSlotsAsync(cancellationToken);
        var facts = new BootFacts(device.Version, device.BootId, device.BootState, known ? Slots : null, trial);
        var (next, outcome, pending) = new BootReview(time).Judge(State, facts);
        if (outcome == BootOutcome.RolledBack)
        {
            var failed = next.Failed[^1] with { Journal = await device.ReadJournalTailAsync(pending!, cancellationToken) };
            Log.Error("Version {Version} was not kept; {Running} runs again: {Reason}", failed.Version, device.Version, failed.Reason);
            next = next.With(failed);
        }
        if (next != State) Note(_ => next);
        if (outcome == BootOutcome.Judge) Log.Information("Version {Version} is on trial, boot {Count}", device.Version, pending!.Boots.Count);
        _followUp = outcome switch
        {
            BootOutcome.Commit => CommitAsync,
            BootOutcome.RolledBack or BootOutcome.TidyUp => token => GiveUpAsync(pending?.Version ?? trial!.Version, token),
            _ => null,
        };
        return outcome;
    }

    /// <summary>Does what follows from this boot: hooks may run for minutes, and the device is there meanwhile. No job begins before it is over.</summary>
    public async Task FollowUpAsync(CancellationToken cancellationToken)
    {
        if (_followUp is { } followUp) await followUp(cancellationToken);
        else await RefreshSlotsAsync(cancellationToken);
        _followUp = null;
        HistoryEntry? left = null;
        Note(state =>
        {
            var next = new BootReview(time).JudgeKept(state, device.Version, Slots);
            if (next != state) left = next.History[^1];
            return next;
        });
        if (left is not null) Log.Error("The boot loader has left version {Version} for {Running}: {Reason}", left.Version, device.Version, left.Detail);
    }

    /// <summary>Looks for a version. Joins a look that is under way.</summary>
    /// <exception cref="UserError">Another job is under way.</exception>
    public UpdateJob Check(InstallRequest request) => Start("check", request, job => CheckAsync(job, request));

    /// <summary>Installs a version. Joins the same installation when it is under way.</summary>
    /// <param name="request">What to install.</param>
    /// <param name="bundle">The bundle itself when the source is <c>-</c>; it is closed at the end.</param>
    /// <exception cref="UserError">Another job is under way, or a version is on trial.</exception>
    public UpdateJob Install(InstallRequest request, Stream? bundle = null)
    {
        if (State is { Phase: EnginePhase.Probation, Pending: { } pending })
            throw new UserError($"Version {pending.Version} is on trial; nothing is installed before its verdict.", "Wait for the verdict (appliancectl status), keep it (mark-good) or go back (rollback).");
        if (bundle is not null) request = request with { Source = "-" };
        return Start("install", request, job => InstallAsync(job, request, bundle));
    }

    /// <summary>Stops the job at hand.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public void Cancel()
    {
        lock (_lock)
        {
            if (!IsBusy) throw new UserError("No job is under way.");
            _current!.Cancel();
        }
    }

    /// <summary>Restarts the device, into the new version when one is installed.</summary>
    /// <returns>Those who hold the restart up; empty when it comes.</returns>
    public async Task<IReadOnlyList<string>> RebootAsync(bool force, CancellationToken cancellationToken)
    {
        var pending = State is { Phase: EnginePhase.Installed, Pending: { } waiting } ? waiting : null;
        if (pending is not null) baseline.Take();
        var result = await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Reboot, Force = force, Slot = pending?.Slot, Version = pending?.Version }, null, null, cancellationToken);
        if (result.Inhibitors is { Count: > 0 } inhibitors) return inhibitors;
        Log.Information("Restarting{Into}", pending is null ? "" : $" into version {pending.Version}");
        Rebooting = true;
        Changed?.Invoke();
        return [];
    }

    /// <summary>Goes back to the other slot: the running version is given up, and the device restarts.</summary>
    /// <exception cref="UserError">The other slot has nothing that could run.</exception>
    public async Task<IReadOnlyList<string>> RollbackAsync(string by, bool force, CancellationToken cancellationToken)
    {
        RequireNoJob();
        if (State is { Phase: EnginePhase.Installed, Pending: { } waiting })
            throw new UserError($"The other slot holds version {waiting.Version}, which was never tried: there is nothing to go back to.", $"Restart into it (appliancectl reboot), or give it up (mark-bad {waiting.Slot}).");
        await GiveUpRunningAsync(null, $"{by} went back from it", cancellationToken);
        await RefreshSlotsAsync(cancellationToken);
        return await RebootAsync(force, cancellationToken);
    }

    /// <summary>Keeps the version on trial without waiting for its verdict.</summary>
    public async Task MarkGoodAsync(CancellationToken cancellationToken)
    {
        await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.MarkGood }, null, null, cancellationToken);
        device.MarkBlessed();
        // Somebody may have given it up before, and thought better of it before the restart came.
        Note(state => state.Without(device.Version) with { Pending = state.Pending is { } pending && pending.Version == device.Version ? pending with { GivenUp = null } : state.Pending });
        if (State.Phase == EnginePhase.Probation) await CommitAsync(cancellationToken);
        else await RefreshSlotsAsync(cancellationToken);
    }

    /// <summary>Makes the boot loader pass a slot over, and the engine its version.</summary>
    public async Task MarkBadAsync(string slot, string by, CancellationToken cancellationToken)
    {
        RequireNoJob();
        if (Slots.Count == 0) await RefreshSlotsAsync(cancellationToken);
        var why = $"{by} marked it bad";
        if (Slots.Any(known => known.Running && known.Name == slot)) await GiveUpRunningAsync(slot, why, cancellationToken);
        else await GiveUpOtherAsync(slot, why, cancellationToken);
        await RefreshSlotsAsync(cancellationToken);
    }

    /// <summary>Lets a version that failed be offered again.</summary>
    /// <exception cref="UserError">It is not among the failed ones.</exception>
    public void ClearFailed(string version)
    {
        if (State.Failed.All(failed => failed.Version != version)) throw new UserError($"Version {version} is not among those that failed.", "appliancectl status lists them.");
        Set(state => state.Without(version));
    }

    /// <summary>The boot loader keeps the running version. Several find out that it does; one of them ends the trial.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        await _committing.WaitAsync(cancellationToken);
        try
        {
            await CommitOnceAsync(cancellationToken);
        }
        finally
        {
            _committing.Release();
        }
    }

    private async Task CommitOnceAsync(CancellationToken cancellationToken)
    {
        // What was given up is not kept because its restart waits.
        if (State is not { Phase: EnginePhase.Probation, Pending: { GivenUp: null } pending }) return;
        try
        {
            await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Commit, Version = pending.Version }, null, null, cancellationToken);
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            Log.Error("Version {Version} could not be kept yet: {Reason}", pending.Version, e.Message);
            return;
        }
        device.MarkBlessed();
        baseline.Drop();
        // Whoever sees the end of the trial sees the slots as they are after it.
        await RefreshSlotsAsync(cancellationToken);
        Note(state => (state.Without(pending.Version) with { Phase = EnginePhase.Idle, Pending = null })
            .With(new HistoryEntry(time.GetUtcNow(), "committed", pending.Version, pending.From, $"healthy after {pending.Boots.Count} {(pending.Boots.Count == 1 ? "boot" : "boots")}")));
        Log.Information("Version {Version} is kept", pending.Version);
    }

    /// <summary>Writes down why a version on trial is about to fail, before anybody can act on the verdict.</summary>
    public void NoteVerdict(HealthReport report)
    {
        if (report.State != HealthState.Unhealthy) return;
        Note(state => state is { Phase: EnginePhase.Probation, Pending: { } pending }
            ? state with { Pending = pending with { Boots = pending.Boots.Select(boot => boot.BootId == device.BootId ? boot with { Failures = report.Reasons } : boot).ToList() } }
            : state);
    }

    /// <summary>Notes that something was offered and refused before it became a job. Said again, it stands there once.</summary>
    public void NoteRefused(string by, string reason)
    {
        var entry = new HistoryEntry(time.GetUtcNow(), "refused", null, device.Version, $"by {by}: {reason}");
        Note(state => state.History is [.., var last] && last with { At = entry.At } == entry ? state : state.With(entry));
    }

    /// <summary>Goes on with an interrupted installation.</summary>
    public UpdateJob? GoOn()
    {
        if (State is not { Phase: EnginePhase.Downloading, Request: { } request }) return null;
        if (request.Source != "-") return Install(request);
        Note(state => (state with { Phase = EnginePhase.Idle, Request = null }).With(new HistoryEntry(time.GetUtcNow(), "failed", null, device.Version, "the bundle that was being sent was interrupted; send it again")));
        return null;
    }

    /// <summary>Reads both slots anew; false when they cannot be read.</summary>
    public async Task<bool> RefreshSlotsAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(SlotsLimit);
        try
        {
            Slots = (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Slots }, null, null, limit.Token)).Slots ?? [];
            Changed?.Invoke();
            return true;
        }
        catch (Exception e) when (e is WorkerException or UserError || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            Log.Warning("The slots could not be read: {Reason}", e.Message);
            return false;
        }
    }

    /// <summary>Stops the job at hand without an end: the next start goes on with it.</summary>
    public void Stop() => _stopping.Cancel();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopping.Cancel();
        _current?.Dispose();
        _stopping.Dispose();
        _committing.Dispose();
    }

    /// <summary>A trial is over and was written down; the worker tidies up, and its record of the trial goes last.</summary>
    private async Task GiveUpAsync(string version, CancellationToken cancellationToken)
    {
        var reason = State.Failed.LastOrDefault(failed => failed.Version == version)?.Reason;
        try
        {
            await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.GiveUp, Version = version, Reason = reason }, null, null, cancellationToken);
            baseline.Drop();
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            Log.Error("What version {Version} left behind could not be tidied up; the next start tries again: {Reason}", version, e.Message);
        }
        await RefreshSlotsAsync(cancellationToken);
    }

    /// <summary>
    /// The running version is given up. That is written down first: after a cut in between, a version that somebody went back from
    /// must not be taken for a new one.
    /// </summary>
    private async Task GiveUpRunningAsync(string? slot, string why, CancellationToken cancellationToken)
    {
        var before = State;
        Set(state => state.Pending is { } pending && pending.Version == device.Version
            ? state with { Pending = pending with { GivenUp = why } }
            : state.With(new FailedVersion { Version = device.Version, Reason = why, At = time.GetUtcNow() }).With(new HistoryEntry(time.GetUtcNow(), "rolledBack", device.Version, device.Version, why)));
        try
        {
            await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.MarkBad, Slot = slot }, null, null, cancellationToken);
        }
        catch (UserError)
        {
            Note(state => state with { Failed = before.Failed, History = before.History, Pending = state.Pending is { } pending ? pending with { GivenUp = before.Pending?.GivenUp } : null });
            throw;
        }
    }

    private async Task GiveUpOtherAsync(string slot, string why, CancellationToken cancellationToken)
    {
        var result = await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.MarkBad, Slot = slot }, null, null, cancellationToken);
        if (result.Version is not { } version) return;
        Set(state => state.With(new FailedVersion { Version = version, Reason = why, At = time.GetUtcNow() }) with
        {
            Phase = state.Pending?.Version == version ? EnginePhase.Idle : state.Phase,
            Pending = state.Pending?.Version == version ? null : state.Pending,
        });
    }

    private async Task CheckAsync(UpdateJob job, InstallRequest request)
    {
        var found = await LookAsync(job, request, plan: true);
        job.Update(view => view with { Version = found.Version, Message = Describe(found), Total = found.DownloadBytes ?? 0 });
    }

    private async Task InstallAsync(UpdateJob job, InstallRequest request, Stream? bundle)
    {
        await using var owned = bundle;
        if (bundle is null)
        {
            var found = await LookAsync(job, request, plan: false);
            if (found.Verdict == "failedBefore") throw FailedBefore(found.Version!);
            if (found.Verdict != "available" || (!request.Force && State.Pending?.Version == found.Version))
            {
                job.Update(view => view with { Version = found.Version, Message = State.Pending?.Version == found.Version ? $"version {found.Version} is installed already and waits for the restart" : Describe(found) });
                return;
            }
            job.Update(view => view with { Version = found.Version });
            request = request with { Version = found.Version };
        }
        var waiting = State.Pending;
        Set(state => state with { Phase = EnginePhase.Downloading, Request = request, Pending = null });
        WorkerResult result;
        try
        {
            result = await worker.RunAsync(ToWorker(WorkerVerb.Install, request), bundle, new Progress(job), job.Cancelled);
            if (result.Verdict == "failedBefore") throw FailedBefore(result.Version!);
        }
        catch (UserError e)
        {
            await EndWithoutAsync(waiting, new HistoryEntry(time.GetUtcNow(), "failed", request.Version, device.Version, e.Message), job.Cancelled);
            throw;
        }
        foreach (var warning in result.Warnings ?? []) Log.Warning("Installing {Version}: {Warning}", result.Version, warning);
        if (result.Verdict != "installed")
        {
            job.Update(view => view with { Version = result.Version, Message = Describe(result) });
            await EndWithoutAsync(waiting, null, job.Cancelled);
            return;
        }
        baseline.Take();
        var detail = $"by {request.By}; {ByteSize.Format(result.DownloadBytes ?? 0)} downloaded ({string.Join(", ", (result.Ways ?? new Dictionary<string, string>()).Select(way => $"{way.Key}: {way.Value}"))})";
        Note(state => (state with
        {
            Phase = EnginePhase.Installed,
            Request = null,
            Pending = new PendingUpdate { Version = result.Version!, From = device.Version, Slot = result.Slot!, InstalledBy = device.BootId, InstalledAt = time.GetUtcNow(), Reboot = request.Reboot },
        }).With(new HistoryEntry(time.GetUtcNow(), "installed", result.Version, device.Version, detail)));
        job.Update(view => view with { Version = result.Version, Message = $"version {result.Version} is in slot {result.Slot} and waits for the restart" });
    }

    /// <summary>An installation ended before it had written anything, or in the middle: what waited in the slot before it may still be there, and then it waits on.</summary>
    private async Task EndWithoutAsync(PendingUpdate? waiting, HistoryEntry? entry, CancellationToken cancellationToken)
    {
        if (waiting is not null && !(await RefreshSlotsAsync(cancellationToken) && Slots.Any(slot => slot.Name == waiting.Slot && slot.Version == waiting.Version && slot.State == SlotState.Trial))) waiting = null;
        Note(state => (entry is null ? state : state.With(entry)) with { Phase = waiting is null ? EnginePhase.Idle : EnginePhase.Installed, Request = null, Pending = waiting });
    }

    private WorkerRequest ToWorker(WorkerVerb verb, InstallRequest request) => new()
    {
        Verb = verb,
        Source = request.Source,
        Channel = request.Channel,
        Version = request.Version,
        Force = request.Force,
        Failed = State.Failed.Select(failed => failed.Version).ToList(),
    };

    private UserError FailedBefore(string version) => new($"Version {version} was tried before and not kept: {State.Failed.First(failed => failed.Version == version).Reason}.", "A newer version will be taken; --force tries this one again.");

    /// <summary>Asks the repository, and notes what it says.</summary>
    private async Task<WorkerResult> LookAsync(UpdateJob job, InstallRequest request, bool plan)
    {
        job.Update(view => view with { Phase = "checking" });
        try
        {
            var found = await worker.RunAsync(ToWorker(WorkerVerb.Check, request) with { Plan = plan }, null, null, job.Cancelled);
            Note(state => state with { LastCheck = new LastCheck(time.GetUtcNow(), found.Verdict!, found.Version, "", found.DownloadBytes, found.Notes).After(state.LastCheck) });
            return found;
        }
        catch (Exception e) when (e is UserError or WorkerException)
        {
            Note(state => state with { LastCheck = new LastCheck(time.GetUtcNow(), "error", null, e.Message) });
            throw;
        }
    }

    private string Describe(WorkerResult found) => found.Verdict switch
    {
        "available" => $"version {found.Version} can be installed{(found.DownloadBytes is { } bytes ? $"; {ByteSize.Format(bytes)} to download" : "")}",
        "waiting" => $"there is version {found.Version}, and its rollout has not reached this device",
        "failedBefore" => $"there is version {found.Version}, which was tried here and not kept",
        _ => $"version {device.Version} is the newest",
    };

    private UpdateJob Start(string kind, InstallRequest request, Func<UpdateJob, Task> work)
    {
        UpdateJob job;
        lock (_lock)
        {
            if (IsBusy && _current is { } running && running.View.Kind == kind && running.Request with { By = request.By } == request && request.Source != "-") return running;
            RequireNoJob();
            _current?.Dispose();
            _current = job = new UpdateJob(++_lastJob, kind, request, time.GetUtcNow(), _stopping.Token);
        }
        JobStarted?.Invoke(job);
        Changed?.Invoke();
        job.Work = Task.Run(() => RunAsync(job, work));
        return job;
    }

    private async Task RunAsync(UpdateJob job, Func<UpdateJob, Task> work)
    {
        if (await OutcomeOfAsync(job, work) is not { } outcome) return;
        // Before the end is told: who hears of it looks at the slots.
        await RefreshSlotsAsync(CancellationToken.None);
        End(job, outcome.State, outcome.Message);
    }

    /// <summary>How a job ended; null when the daemon stops, the worker perhaps before it: the journal says what to go on with.</summary>
    private async Task<(JobState State, string? Message)?> OutcomeOfAsync(UpdateJob job, Func<UpdateJob, Task> work)
    {
        try
        {
            await work(job);
            return (JobState.Done, null);
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            EndInstallation("cancelled", "somebody stopped it");
            return (JobState.Cancelled, "stopped");
        }
        catch (UserError e)
        {
            EndInstallation("failed", e.Message);
            return (JobState.Failed, e.ToString());
        }
        catch (Exception e)
        {
            if (e is not WorkerException) Log.Error(e, "Job {Job} failed", job.Id);
            EndInstallation("failed", e.Message);
            return (JobState.Failed, e.Message);
        }
    }

    private void EndInstallation(string outcome, string detail)
    {
        if (State.Phase != EnginePhase.Downloading) return;
        Note(state => (state with { Phase = EnginePhase.Idle, Request = null }).With(new HistoryEntry(time.GetUtcNow(), outcome, state.Request?.Version, device.Version, detail)));
    }

    private void End(UpdateJob job, JobState how, string? message)
    {
        job.Update(view => view with { State = how, Phase = "", Message = message ?? view.Message });
        Log.Write(how == JobState.Failed ? Serilog.Events.LogEventLevel.Error : Serilog.Events.LogEventLevel.Information, "Job {Job} ({Kind}, by {By}) ended: {Outcome} {Message}", job.Id, job.View.Kind, job.View.By, how, job.View.Message);
        Changed?.Invoke();
    }

    private void RequireNoJob()
    {
        lock (_lock)
            if (IsBusy) throw new UserError($"Job {_current!.Id} ({_current.View.Kind}) is under way.", "Wait until it ends, or stop it (appliancectl cancel).");
        if (_followUp is not null) throw new UserError("What the last restart began is not over: its hooks still run.", "Wait a moment; the journal says when it is over.");
    }

    /// <summary>Takes a step that nothing may follow before it is on the disk.</summary>
    /// <exception cref="UserError">It cannot be written; nothing has changed.</exception>
    private void Set(Func<UpdateState, UpdateState> change)
    {
        if (Write(change, regardless: false) is { } problem)
            throw new UserError($"The state of the updates cannot be written: {problem}", "Free space on the data partition, or check that it is mounted and writable.");
    }

    /// <summary>Notes what is so whether or not it can be written; when it cannot, it goes to the disk with the next step.</summary>
    private void Note(Func<UpdateState, UpdateState> change)
    {
        if (Write(change, regardless: true) is { } problem) Log.Error("The state of the updates cannot be written, and is kept in memory for now: {Reason}", problem);
    }

    private string? Write(Func<UpdateState, UpdateState> change, bool regardless)
    {
        string? problem = null;
        lock (_lock)
        {
            var next = change(_state);
            if (ReferenceEquals(next, _state)) return null;
            next = next with { LastCheck = next.LastCheck?.Now(device.Version, next.Failed) };
            try
            {
                store.Write(next);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (!regardless) return e.Message;
                problem = e.Message;
            }
            _state = next;
        }
        Changed?.Invoke();
        return problem;
    }

    private sealed class Progress(UpdateJob job) : IProgress<WorkerProgress>
    {
        public void Report(WorkerProgress value) => job.Report(value);
    }
}
