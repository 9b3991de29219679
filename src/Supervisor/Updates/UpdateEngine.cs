using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>
/// Updates the device: one job at a time, every step of it in the journal (<see cref="UpdateStore"/>) before the next begins,
/// the root's part done by the worker. What a boot means is found out by <see cref="BootReview"/>, when to act by
/// <see cref="UpdateSchedule"/>.
/// </summary>
internal sealed class UpdateEngine : IDisposable
{
    private readonly SemaphoreSlim _committing = new(1);
    private readonly UpdateMemory _memory;
    private readonly DeviceSlots _slots;
    private readonly GivingUp _givingUp;
    private readonly IWorker _worker;
    private readonly IBaseline _baseline;
    private readonly IDeviceBoot _device;
    private readonly TimeProvider _time;
    private Func<CancellationToken, Task>? _followUp;

    /// <summary>An engine.</summary>
    /// <param name="memory">What it remembers.</param>
    /// <param name="worker">Does root's part.</param>
    /// <param name="baseline">What was healthy before a restart.</param>
    /// <param name="device">This boot.</param>
    /// <param name="time">Clock.</param>
    public UpdateEngine(UpdateMemory memory, IWorker worker, IBaseline baseline, IDeviceBoot device, TimeProvider time)
    {
        (_memory, _worker, _baseline, _device, _time) = (memory, worker, baseline, device, time);
        _slots = new DeviceSlots(worker);
        _givingUp = new GivingUp(memory, _slots, worker, device, time);
        Jobs = new JobDesk(time)
        {
            Obstacle = () => _followUp is null ? null : new UserError("What the last restart began is not over: its hooks still run.", "Wait a moment; the journal says when it is over."),
            BeforeEnd = () => RefreshSlotsAsync(CancellationToken.None),
        };
        Jobs.Changed += () => Changed?.Invoke();
        memory.Changed += () => Changed?.Invoke();
        _slots.Changed += () => Changed?.Invoke();
    }

    /// <summary>Raised when the state, the slots, the job at hand or what the boot is worth change.</summary>
    public event Action? Changed;

    /// <summary>The long work at hand, this engine's and others'.</summary>
    public JobDesk Jobs { get; }

    /// <summary>What the engine remembers.</summary>
    public UpdateState State => _memory.State;

    /// <summary>The job at hand, or the last one.</summary>
    public UpdateJob? Job => Jobs.Current;

    /// <summary>Both slots as they were when they were last read; empty before that.</summary>
    public IReadOnlyList<SlotStatus> Slots => _slots.Known;

    /// <summary>True while a version that somebody gave up is still what boots, or what runs and is to be left.</summary>
    public bool IsGivingUp => _givingUp.IsUnfinished;

    /// <summary>True once what follows from this boot was done: what failed is written down whole, and jobs may begin.</summary>
    public bool IsFollowedUp { get; private set; }

    /// <summary>True between asking for the restart and its coming.</summary>
    public bool Rebooting { get; private set; }

    /// <summary>Finds out what this boot means, before anything else is done; what follows from it is done by <see cref="FollowUpAsync"/>.</summary>
    public async Task<BootOutcome> ReviewBootAsync(CancellationToken cancellationToken)
    {
        var trial = _device.ReadTrial();
        var known = true;
        if (State.Phase != EnginePhase.Idle || trial is not null) known = await RefreshSlotsAsync(cancellationToken);
        var facts = new BootFacts(_device.Version, _device.BootId, _device.BootState, known ? Slots : null, trial);
        var (next, outcome, pending) = new BootReview(_time).Judge(State, facts);
        if (next != State) _memory.Note(_ => next);
        if (outcome == BootOutcome.RolledBack) Log.Error("Version {Version} was not kept; {Running} runs again: {Reason}", pending!.Version, _device.Version, next.Failed[^1].Reason);
        if (outcome == BootOutcome.Judge) Log.Information("Version {Version} is on trial, boot {Count}", _device.Version, pending!.Boots.Count);
        _followUp = outcome switch
        {
            BootOutcome.Commit => CommitAsync,
            BootOutcome.GivenUp => FinishGivingUpAsync,
            BootOutcome.RolledBack or BootOutcome.TidyUp => token => EndTrialAsync(pending ?? PendingUpdate.Of(trial!), token),
            _ => null,
        };
        return outcome;
    }

    /// <summary>The boot loader was told to keep this boot: what is on trial is kept by the schedule, which this wakes.</summary>
    public void NoteBlessed()
    {
        _device.MarkBlessed();
        Changed?.Invoke();
    }

    /// <summary>Does what follows from this boot: hooks may run for minutes, and the device is there meanwhile. No job begins before it is over.</summary>
    public async Task FollowUpAsync(CancellationToken cancellationToken)
    {
        if (_followUp is { } followUp) await followUp(cancellationToken);
        else await RefreshSlotsAsync(cancellationToken);
        _followUp = null;
        HistoryEntry? left = null;
        var review = new BootReview(_time);
        _memory.Note(state =>
        {
            var next = review.JudgeKept(state, _device.Version, Slots);
            if (next != state) left = next.History[^1];
            return review.JudgeRunning(next, _device.Version, Slots);
        });
        IsFollowedUp = true;
        Changed?.Invoke();
        if (left is not null) Log.Error("The boot loader has left version {Version} for {Running}: {Reason}", left.Version, _device.Version, left.Detail);
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
    public void Cancel() => Jobs.Cancel();

    /// <summary>Restarts the device, into the new version when one is installed.</summary>
    /// <returns>Those who hold the restart up; empty when it comes.</returns>
    public async Task<IReadOnlyList<string>> RebootAsync(bool force, CancellationToken cancellationToken)
    {
        var pending = State is { Phase: EnginePhase.Installed, Pending: { } waiting } ? waiting : null;
        if (pending is not null) _baseline.Take();
        var result = await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Reboot, Force = force, Slot = pending?.Slot, Version = pending?.Version }, null, null, cancellationToken);
        if (result.Inhibitors is { Count: > 0 } inhibitors) return inhibitors;
        Log.Information("Restarting{Into}", pending is null ? "" : $" into version {pending.Version}");
        Rebooting = true;
        Changed?.Invoke();
        return [];
    }

    /// <summary>Says anew when the version that waits may be started: at once, not by itself, or (null) as the settings say.</summary>
    public void SetRestart(bool? reboot)
    {
        if (State is { Phase: EnginePhase.Installed, Pending: { } pending } && pending.Reboot != reboot)
            _memory.Note(state => state.Pending is { } waiting && waiting.Version == pending.Version ? state with { Pending = waiting with { Reboot = reboot } } : state);
    }

    /// <summary>Goes back to the other slot: the running version is given up, and the device restarts.</summary>
    /// <exception cref="UserError">The other slot has nothing that could run.</exception>
    public async Task<IReadOnlyList<string>> RollbackAsync(string by, bool force, CancellationToken cancellationToken)
    {
        await Jobs.ClearAsync();
        if (State is { Phase: EnginePhase.Installed, Pending: { } waiting })
            throw new UserError($"The other slot holds version {waiting.Version}, which was never tried: there is nothing to go back to.", $"Restart into it (appliancectl reboot), or give it up (mark-bad {waiting.Slot}).");
        cancellationToken.ThrowIfCancellationRequested();
        await GiveUpAsync(null, $"{by} went back from it", leave: true);
        return await RebootAsync(force, Jobs.Stopping);
    }

    /// <summary>Brings to its end what a cut, a failure or an inhibitor kept from it. True when the restart comes.</summary>
    public async Task<bool> FinishGivingUpAsync(CancellationToken cancellationToken)
    {
        if (State.Pending is not { GivenUp: { } why } pending) return false;
        var runs = pending.Version == _device.Version;
        try
        {
            if (_slots.Find(pending.Slot)?.State != SlotState.Bad) await GiveUpAsync(runs ? null : pending.Slot, why, pending.Leave);
            if (!runs || !pending.Leave) return false;
            if (await RebootAsync(force: false, cancellationToken) is not { Count: > 0 } inhibitors) return true;
            Log.Warning("Version {Version} was given up, and the restart waits for {Inhibitors}", pending.Version, string.Join("; ", inhibitors));
        }
        catch (Exception e) when (e is UserError or WorkerException)
        {
            Log.Error("Version {Version} was given up and is not left yet: {Reason}", pending.Version, e.Message);
            await _givingUp.ForgetWhatCannotBeAsync(pending, cancellationToken);
        }
        return false;
    }

    /// <summary>Keeps the version on trial without waiting for its verdict.</summary>
    public async Task MarkGoodAsync(CancellationToken cancellationToken)
    {
        await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.MarkGood }, null, null, cancellationToken);
        _device.MarkBlessed();
        // Somebody may have given it up before, and thought better of it before the restart came.
        _memory.Note(state => state.Without(_device.Version) with { Pending = state.Pending is { } pending && pending.Version == _device.Version ? pending with { GivenUp = null, Leave = false } : state.Pending });
        if (State.Phase == EnginePhase.Probation) await CommitAsync(cancellationToken);
        else await RefreshSlotsAsync(cancellationToken);
    }

    /// <summary>Makes the boot loader pass a slot over, and the engine its version.</summary>
    public async Task MarkBadAsync(string slot, string by, CancellationToken cancellationToken)
    {
        await Jobs.ClearAsync();
        cancellationToken.ThrowIfCancellationRequested();
        await GiveUpAsync(slot, $"{by} marked it bad", leave: false);
    }

    /// <summary>Lets a version that failed be offered again.</summary>
    /// <exception cref="UserError">It is not among the failed ones.</exception>
    public void ClearFailed(string version)
    {
        if (State.Failed.All(failed => failed.Version != version)) throw new UserError($"Version {version} is not among those that failed.", "appliancectl status lists them.");
        _memory.Set(state => state.Without(version));
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
            await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Commit, Version = pending.Version }, null, null, cancellationToken);
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            Log.Error("Version {Version} could not be kept yet: {Reason}", pending.Version, e.Message);
            return;
        }
        _device.MarkBlessed();
        _baseline.Drop();
        // Whoever sees the end of the trial sees the slots as they are after it.
        await RefreshSlotsAsync(cancellationToken);
        _memory.Note(state => (state.Without(pending.Version) with { Phase = EnginePhase.Idle, Pending = null })
            .With(new HistoryEntry(_time.GetUtcNow(), "committed", pending.Version, pending.From, $"healthy after {pending.Boots.Count} {(pending.Boots.Count == 1 ? "boot" : "boots")}")));
        Log.Information("Version {Version} is kept", pending.Version);
    }

    /// <summary>
    /// Writes down why a version on trial is about to fail, before anybody can act on the verdict. Where no boot loader asks for the
    /// verdict, it is the engine that keeps what is healthy.
    /// </summary>
    public void NoteVerdict(HealthReport report)
    {
        if (report.State == HealthState.Healthy && State.Phase == EnginePhase.Probation && _device.BootState == BootState.Unknown) NoteBlessed();
        if (report.State != HealthState.Unhealthy) return;
        _memory.Note(state => state is { Phase: EnginePhase.Probation, Pending: { } pending }
            ? state with { Pending = pending with { Boots = pending.Boots.Select(boot => boot.BootId == _device.BootId ? boot with { Failures = report.Reasons } : boot).ToList() } }
            : state);
    }

    /// <summary>Notes that something was offered and refused before it became a job. Said again, it stands there once.</summary>
    public void NoteRefused(string by, string reason)
    {
        var entry = new HistoryEntry(_time.GetUtcNow(), "refused", null, _device.Version, $"by {by}: {reason}");
        _memory.Note(state => state.History is [.., var last] && last with { At = entry.At } == entry ? state : state.With(entry));
    }

    /// <summary>Goes on with an interrupted installation.</summary>
    public UpdateJob? GoOn()
    {
        if (State is not { Phase: EnginePhase.Downloading, Request: { } request }) return null;
        if (request.Source != "-") return Install(request);
        _memory.Note(state => (state with { Phase = EnginePhase.Idle, Request = null }).With(new HistoryEntry(_time.GetUtcNow(), "failed", null, _device.Version, "the bundle that was being sent was interrupted; send it again")));
        return null;
    }

    /// <summary>Reads both slots anew; false when they cannot be read.</summary>
    public Task<bool> RefreshSlotsAsync(CancellationToken cancellationToken) => _slots.RefreshAsync(cancellationToken);

    /// <summary>Stops the job at hand without an end: the next start goes on with it.</summary>
    public void Stop() => Jobs.Stop();

    /// <inheritdoc/>
    public void Dispose()
    {
        Jobs.Dispose();
        _committing.Dispose();
    }

    /// <summary>A trial is over and was written down; its journal comes with it, the worker tidies up, and its record of the trial goes last.</summary>
    private async Task EndTrialAsync(PendingUpdate pending, CancellationToken cancellationToken)
    {
        var version = pending.Version;
        if (State.Failed.Any(failed => failed.Version == version && failed.Journal.Count == 0))
        {
            var journal = await _device.ReadJournalTailAsync(pending, cancellationToken);
            _memory.Note(state => state.Failed.LastOrDefault(failed => failed.Version == version) is { } failed ? state.With(failed with { Journal = journal }) : state);
        }
        var reason = State.Failed.LastOrDefault(failed => failed.Version == version)?.Reason;
        try
        {
            await _worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.GiveUp, Version = version, Reason = reason }, null, null, cancellationToken);
            _baseline.Drop();
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            Log.Error("What version {Version} left behind could not be tidied up; the next start tries again: {Reason}", version, e.Message);
        }
        await RefreshSlotsAsync(cancellationToken);
    }

    /// <summary>What is being kept is not given up under its hooks; afterwards it is a version like any other.</summary>
    private async Task GiveUpAsync(string? slot, string why, bool leave)
    {
        if (!await _committing.WaitAsync(TimeSpan.Zero, CancellationToken.None)) throw new UserError($"Version {_device.Version} is being kept: its hooks still run.", "Wait a moment; the journal says when it is over.");
        try
        {
            // Whoever asked for it may hang up: what was begun is brought to its end.
            await _givingUp.RunAsync(slot, why, leave, Jobs.Stopping);
        }
        finally
        {
            _committing.Release();
        }
        await RefreshSlotsAsync(Jobs.Stopping);
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
            job.Hold();
            job.Update(view => view with { Version = found.Version });
            if (found.Verdict == "failedBefore") throw FailedBefore(found.Version!);
            var waits = State.Pending?.Version == found.Version;
            if (found.Verdict != "available" || (!request.Force && waits))
            {
                // When it restarts can be thought over.
                if (waits && request.Reboot is { } restart) _memory.Note(state => state.Pending is { } pending ? state with { Pending = pending with { Reboot = restart } } : state);
                job.Update(view => view with { Message = !waits ? Describe(found) : $"version {found.Version} is installed already and {(State.Pending!.Reboot == true ? "is restarted into" : "waits for the restart")}" });
                return;
            }
            request = request with { Version = found.Version };
        }
        var waiting = State.Pending;
        _memory.Set(state => state with { Phase = EnginePhase.Downloading, Request = request, Pending = null });
        WorkerResult result;
        try
        {
            result = await _worker.RunAsync(ToWorker(WorkerVerb.Install, request), bundle, job, job.Cancelled);
            if (result.Verdict == "failedBefore") throw FailedBefore(result.Version!);
        }
        catch (Exception e) when (!Jobs.Stopping.IsCancellationRequested)
        {
            var (outcome, why) = e is OperationCanceledException ? ("cancelled", "somebody stopped it") : ("failed", e.Message);
            // What somebody stopped does not restart the device by itself.
            await EndWithoutAsync(waiting, new HistoryEntry(_time.GetUtcNow(), outcome, request.Version, _device.Version, why), e is OperationCanceledException ? request with { Reboot = false } : request);
            throw;
        }
        foreach (var warning in result.Warnings ?? []) Log.Warning("Installing {Version}: {Warning}", result.Version, warning);
        if (result.Verdict != "installed")
        {
            job.Update(view => view with { Version = result.Version, Message = Describe(result) });
            await EndWithoutAsync(waiting, null, request);
            return;
        }
        _baseline.Take();
        var detail = $"by {request.By}; {ByteSize.Format(result.DownloadBytes ?? 0)} downloaded ({string.Join(", ", (result.Ways ?? new Dictionary<string, string>()).Select(way => $"{way.Key}: {way.Value}"))})";
        _memory.Note(state => (state with
        {
            Phase = EnginePhase.Installed,
            Request = null,
            Pending = new PendingUpdate { Version = result.Version!, From = _device.Version, Slot = result.Slot!, InstalledBy = _device.BootId, InstalledAt = _time.GetUtcNow(), Reboot = request.Reboot },
        }).With(new HistoryEntry(_time.GetUtcNow(), "installed", result.Version, _device.Version, detail)));
        job.Update(view => view with { Version = result.Version, Message = $"version {result.Version} is in slot {result.Slot} and waits for the restart" });
    }

    /// <summary>
    /// An installation ended without saying that it is done. Before it had written anything, what waited in the slot waits on; and
    /// where the new version was in its slot already (its hooks still ran, or the worker went), that is what the next restart starts.
    /// </summary>
    private async Task EndWithoutAsync(PendingUpdate? waiting, HistoryEntry? entry, InstallRequest request)
    {
        if (_device.ReadTrial() is { } trial && trial.Version != waiting?.Version && trial.InstalledBy == _device.BootId) waiting = PendingUpdate.Of(trial) with { InstalledAt = _time.GetUtcNow(), Reboot = request.Reboot };
        if (waiting is not null && !(await RefreshSlotsAsync(CancellationToken.None) && Slots.Any(slot => slot.Name == waiting.Slot && slot.Version == waiting.Version && slot.State == SlotState.Trial))) waiting = null;
        _memory.Note(state => (entry is null ? state : state.With(entry)) with { Phase = waiting is null ? EnginePhase.Idle : EnginePhase.Installed, Request = null, Pending = waiting });
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
        job.Yield();
        try
        {
            var found = await _worker.RunAsync(ToWorker(WorkerVerb.Check, request) with { Plan = plan }, null, null, job.Cancelled);
            _memory.Note(state => state with { LastCheck = new LastCheck(_time.GetUtcNow(), found.Verdict!, found.Version, "", found.DownloadBytes, found.Notes).After(state.LastCheck) });
            return found;
        }
        catch (Exception e) when (e is UserError or WorkerException)
        {
            _memory.Note(state => state with { LastCheck = new LastCheck(_time.GetUtcNow(), "error", null, e.Message) });
            throw;
        }
    }

    private string Describe(WorkerResult found) => found.Verdict switch
    {
        "available" => $"version {found.Version} can be installed{(found.DownloadBytes is { } bytes ? $"; {ByteSize.Format(bytes)} to download" : "")}",
        "waiting" => $"there is version {found.Version}, and its rollout has not reached this device",
        "failedBefore" => $"there is version {found.Version}, which was tried here and not kept",
        _ => $"version {_device.Version} is the newest",
    };

    /// <summary>A bundle that is sent is never the one that is being sent already.</summary>
    private UpdateJob Start(string kind, InstallRequest request, Func<UpdateJob, Task> work) => Jobs.Start(kind, request.By, request.Source == "-" ? null : request with { By = "" }, work);
}
