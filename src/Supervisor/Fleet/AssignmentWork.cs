using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using Serilog;

namespace Appliance.Supervisor.Fleet;

/// <summary>
/// Does what the fleet's server assigned, through the engines that everybody else uses, and finds out how it ended by what they
/// remember: nothing here need survive but the assignment itself.
/// </summary>
/// <param name="file">Where the assignment is kept.</param>
/// <param name="engine">Updates of the operating system.</param>
/// <param name="workloads">Workloads.</param>
/// <param name="credentials">Credentials.</param>
/// <param name="device">This boot.</param>
/// <param name="time">Clock.</param>
internal sealed class AssignmentWork(AssignmentFile file, UpdateEngine engine, WorkloadUpdates workloads, CredentialDesk credentials, IDeviceBoot device, TimeProvider time)
{
    private const int MostWords = 20;

    /// <summary>Pauses after tries that failed in a way that may pass; the last try has none.</summary>
    private static readonly TimeSpan[] Pauses = [TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15), TimeSpan.FromHours(1)];

    /// <summary>How long a server is given to take note of an end before it is told again.</summary>
    private static readonly TimeSpan ReportAgain = TimeSpan.FromMinutes(5);

    /// <summary>How long what is to be stopped is waited for, and how often credentials are looked at that somebody else is busy with.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromMinutes(1), LookAgain = TimeSpan.FromSeconds(2);

    private readonly List<string> _news = [];
    private readonly long _start = time.GetTimestamp();
    private Assignment? _current = file.Read();
    private UpdateJob? _job;
    private TimeSpan _notBefore;
    private TimeSpan? _reportedAt;
    private bool _saidTrial, _looksAgain;

    /// <summary>The assignment at hand, or the last one.</summary>
    public Assignment? Current => Volatile.Read(ref _current);

    /// <summary>How long until the next try, or null when none waits.</summary>
    public TimeSpan? Wait => _looksAgain ? LookAgain : _current is { Step: AssignmentStep.Accepted } && _notBefore > Now ? _notBefore - Now : null;

    /// <summary>The job that does it: also one that the schedule has gone on with after a restart of the supervisor.</summary>
    private UpdateJob? Job => _job is { View.State: JobState.Running } ? _job : _current is not null && engine.Job is { View.State: JobState.Running } job && job.View.By == By ? job : null;

    private TimeSpan Now => time.GetElapsedTime(_start);

    private string By => $"the fleet's server (action {_current!.Id})";

    /// <summary>Takes an assignment. What was at hand before is over for the server.</summary>
    public void Take(Assignment assignment)
    {
        // Whoever gives it again has thought about it: what failed may have been the network's fault, or the night's.
        if (assignment.Kind == AssignmentKind.Image && engine.State.Failed.Any(failed => failed.Version == assignment.Version)) engine.ClearFailed(assignment.Version);
        _news.Clear();
        (_job, _notBefore, _saidTrial) = (null, TimeSpan.Zero, false);
        Note(assignment);
        Log.Information("The fleet's server assigned {Title} (action {Action})", assignment.Title, assignment.Id);
    }

    /// <summary>Whether the server is to be asked anew: it has a window, and the device could restart.</summary>
    public bool AsksForRestart => _current is { Step: AssignmentStep.Installed, HasWindow: true, MayRestart: false };

    /// <summary>The server says anew whether the device may restart now, and whether at once.</summary>
    public void SetRestart(bool mayRestart, bool forced)
    {
        if (_current is { IsOver: false } current && (current.MayRestart, current.IsForced) != (mayRestart, forced)) Note(current with { MayRestart = mayRestart, IsForced = forced });
    }

    /// <summary>What is to be told to the server about the assignment at hand; asked again, it is not said again.</summary>
    public IReadOnlyList<string> TakeNews()
    {
        string[] news = [.. _news];
        _news.Clear();
        return news;
    }

    /// <summary>The server has taken the end, or does not want to hear of it any more.</summary>
    public void NoteReported()
    {
        _reportedAt = Now;
        if (_current is { IsOver: true, IsReported: false } current) Note(current with { IsReported = true });
    }

    /// <summary>The server still waits for the end, which it was told a while ago.</summary>
    public void NoteUnreported()
    {
        if ((_reportedAt is not { } told || Now - told >= ReportAgain) && _current is { IsOver: true, IsReported: true } current) Note(current with { IsReported = false });
    }

    /// <summary>The device has left its fleet: nobody waits for an end any more.</summary>
    public void Forget()
    {
        if (Job is { } job) job.Cancel();
        // What waits in a slot is the device's own again.
        if (_current is { IsOver: false } current && IsImage(current) && engine.State.Pending?.Version == current.Version) engine.SetRestart(null);
        _job = null;
        Volatile.Write(ref _current, null);
        file.Delete();
    }

    /// <summary>Does what can be done now, and notes what has become of it.</summary>
    public void Advance()
    {
        _looksAgain = false;
        // Before that a version that failed lacks its journal, and no job may begin.
        if (_current is not { IsOver: false } current || !engine.IsFollowedUp) return;
        if (IsImage(current)) AdvanceImage(current);
        else if (current.Kind == AssignmentKind.Rotation) AdvanceRotation(current);
        else AdvanceWorkload(current);
    }

    /// <summary>Stops the assignment at hand, where that still can be done.</summary>
    /// <returns>Why it goes on; null when it is stopped.</returns>
    public async Task<string?> CancelAsync(CancellationToken cancellationToken)
    {
        if (_current is not { IsOver: false } current) return null;
        if (current.Kind == AssignmentKind.Rotation) return await CancelRotationAsync(current, cancellationToken);
        if (Job is { } job)
        {
            job.Cancel();
            await job.Work.WaitAsync(cancellationToken);
        }
        _job = null;
        if (IsWorkload(current) && StateOf(current) is { Trial: not null }) return $"{current.Title} is being applied; its end decides.";
        if (IsDone(current))
        {
            Advance();
            return $"{current.Title} runs already.";
        }
        if (IsImage(current) && engine.State.Pending is { } pending && pending.Version == current.Version)
        {
            if (engine.State.Phase == EnginePhase.Probation) return $"Version {pending.Version} is on trial; its verdict decides.";
            try
            {
                await engine.MarkBadAsync(pending.Slot, "the fleet's server", cancellationToken);
                engine.ClearFailed(pending.Version); // nothing is wrong with it
            }
            catch (Exception e) when (e is UserError or WorkerException)
            {
                return $"It cannot be stopped now: {e.Message}";
            }
        }
        Note(current with { Step = AssignmentStep.Canceled, Words = ["called off by the server"], IsReported = true });
        return null;
    }

    private static bool IsBundle(Assignment assignment) => assignment.Kind is AssignmentKind.ImageBundle or AssignmentKind.WorkloadBundle;

    private static bool IsImage(Assignment assignment) => assignment.Kind is AssignmentKind.Image or AssignmentKind.ImageBundle;

    private static bool IsWorkload(Assignment assignment) => assignment.Kind is AssignmentKind.Workload or AssignmentKind.WorkloadBundle;

    /// <summary>Whether what was assigned runs, and is kept.</summary>
    private bool IsDone(Assignment assignment) => IsBundle(assignment) && assignment.Attempts == 0 ? false // its server may call it what it likes
        : IsImage(assignment) ? device.Version == assignment.Version && engine.State is { Phase: EnginePhase.Idle, Pending: null }
        : StateOf(assignment) is { Trial: null } known && known.Current == assignment.Version;

    private WorkloadState? StateOf(Assignment assignment) => workloads.Known.FirstOrDefault(workload => workload.Id == assignment.Name)?.State;

    private void AdvanceImage(Assignment current)
    {
        var state = engine.State;
        if (!(IsBundle(current) && current.Attempts == 0) && state.Failed.LastOrDefault(failed => failed.Version == current.Version) is { } failed)
        {
            End(current, false, [$"Version {failed.Version} was not kept: {failed.Reason}", .. failed.Failures, .. failed.Journal.TakeLast(MostWords - 1 - Math.Min(failed.Failures.Count, MostWords / 2))]);
        }
        else if (IsDone(current))
        {
            End(current, true, [$"Version {current.Version} runs and is kept."]);
        }
        else if (state.Pending is { GivenUp: null } pending && pending.Version == current.Version)
        {
            if (current.Step != AssignmentStep.Installed)
            {
                _news.Add($"Version {pending.Version} is in slot {pending.Slot} and waits for the restart.");
                // What was said of the window is as old as the download.
                Note(current = current with { Step = AssignmentStep.Installed, MayRestart = current.MayRestart && !current.HasWindow });
            }
            if (state.Phase == EnginePhase.Installed) engine.SetRestart(RestartOf(current));
            if (state.Phase == EnginePhase.Probation && !_saidTrial)
            {
                _saidTrial = true;
                _news.Add($"Version {pending.Version} is on trial.");
            }
        }
        else if (current.Step == AssignmentStep.Installed && state.Phase is EnginePhase.Idle or EnginePhase.Installed && !IsBusy)
        {
            End(current, false, [$"Version {current.Version} was installed, and something else took its place before it was started."]);
        }
        else if (state.Phase is not (EnginePhase.Downloading or EnginePhase.Probation))
        {
            Try(current, () => current.Kind == AssignmentKind.Image && UapiVersion.Compare(current.Version, device.Version) < 0
                ? throw new UserError($"Version {current.Version} is older than {device.Version}, which runs: no server's word takes a device back.", "On the device, appliancectl install --force does.")
                : engine.Install(new InstallRequest { Source = current.Source, Channel = current.Channel, Version = current.Kind == AssignmentKind.Image ? current.Version : null, Reboot = current.HasWindow ? false : RestartOf(current), By = By }));
        }
    }

    private void AdvanceWorkload(Assignment current)
    {
        if (IsDone(current))
        {
            End(current, true, [$"Version {current.Version} of {current.Name} runs."]);
            return;
        }
        var known = StateOf(current);
        if (known is { Trial: not null } && _job is null) return; // interrupted, and gone on with by the schedule
        // A release that was not kept is tried again when it is assigned again; an older one is not forced on the device.
        var again = current is { Kind: AssignmentKind.Workload, Step: AssignmentStep.Accepted } && known?.WhyNotKept(current.Version) is not null && (known.Current is not { } kept || UapiVersion.Compare(current.Version, kept) > 0);
        Try(current, () => workloads.Apply(new WorkloadRequest { Id = current.Kind == AssignmentKind.Workload ? current.Name : null, Source = current.Source, Channel = current.Channel, Version = current.Kind == AssignmentKind.Workload ? current.Version : null, Force = again, By = By }));
    }

    /// <summary>One credential after the other, so that after a restart only what is missing is done.</summary>
    private void AdvanceRotation(Assignment current)
    {
        if (_job is null && !TrySettle(ref current)) return;
        while (current.Rotations.FirstOrDefault(one => one.IsOpen) is { } open)
        {
            Try(current, () => current.Source is { } source ? credentials.Fetch(open.Name, By, source) : credentials.Rotate(open.Name, By));
            if (_job is not null || _current == current || _current is not { IsOver: false } next) return;
            if (next.Rotations == current.Rotations || !TrySettle(ref next)) return; // it is tried again later
            current = next;
        }
        var failures = current.Rotations.Select(one => one.Failure).OfType<string>().ToList();
        End(current, failures.Count == 0, [.. failures, .. Done(current) is { Length: > 0 } done ? [$"{done}: changed"] : Array.Empty<string>()]);
    }

    /// <summary>Finds out what has become of what no job of ours is about: it was done when the supervisor went down, or is gone on with by itself.</summary>
    /// <returns>False while that is not known.</returns>
    private bool TrySettle(ref Assignment current)
    {
        _looksAgain = true;
        if (!credentials.IsRead) return false; // what there is, is known a while after the start
        if (current.Rotations.Count == 0) Note(current = current with { Rotations = Choose(current.Name, current.Source) });
        while (current.Rotations.FirstOrDefault(one => one.IsOpen) is { } open)
        {
            if (Find(open.Name) is { Step: not (RotationStep.Idle or RotationStep.Grace) } or { IsUnreadable: true }) return false;
            if (open.Before is null || Tell(open.Name) is not { } told || told == open.Before) break; // one that is not there was not changed either
            current = NoteRotation(current, open with { IsDone = true });
        }
        _looksAgain = false;
        return true;
    }

    private IReadOnlyList<AssignedRotation> Choose(string name, string? source)
    {
        var names = name == CredentialNames.All && source is null ? credentials.Known.Where(credential => credential.CanRotate).Select(credential => credential.Name).ToList() : [];
        return [.. names.DefaultIfEmpty(name).Select(one => new AssignedRotation(one, Tell(one)))];
    }

    private CredentialStatus? Find(string name) => credentials.Known.FirstOrDefault(credential => credential.Name == name);

    /// <summary>What a credential is told by from the one before and after it. Moments are compared for being the same alone: they are of several clocks, which may be wrong.</summary>
    private string? Tell(string name) => Find(name) is { IsUnreadable: false } known ? $"{known.Identity} {known.RotatedAt:O} {known.ExpiresAt:O}" : null;

    private static string Done(Assignment current) => string.Join(", ", current.Rotations.Where(one => one.IsDone).Select(one => one.Name));

    /// <summary>What has become of one of several; the next one has tries of its own.</summary>
    private Assignment NoteRotation(Assignment current, AssignedRotation rotation)
    {
        _notBefore = TimeSpan.Zero;
        _news.Add(rotation.Failure is { } failure ? $"{rotation.Name} was not changed: {failure}" : $"{rotation.Name} was changed.");
        Note(current = current with { Step = AssignmentStep.Accepted, Attempts = 0, Rotations = [.. current.Rotations.Select(one => one.Name == rotation.Name ? rotation : one)] });
        return current;
    }

    private async Task<string?> CancelRotationAsync(Assignment current, CancellationToken cancellationToken)
    {
        if (_job is { View.State: JobState.Running } job)
        {
            job.Cancel();
            await job.Work.WaitAsync(StopLimit, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            if (job.View.State == JobState.Running) return $"{current.Name} is being changed; its end decides."; // from the switch on it goes to its end
        }
        if (_job is { View.State: JobState.Done } ended) EndTry(current, ended);
        _job = null;
        current = _current!;
        if (!TrySettle(ref current) && current.Step == AssignmentStep.Installing) return $"{current.Name} is being changed; its end decides.";
        if (current.Rotations.Count > 0 && !current.Rotations.Any(one => one.IsOpen))
        {
            Advance();
            return $"{current.Name} is changed already.";
        }
        Note(current with { Step = AssignmentStep.Canceled, Words = ["called off by the server", .. Done(current) is { Length: > 0 } done ? [$"{done}: changed before"] : Array.Empty<string>()], IsReported = true });
        return null;
    }

    private bool IsBusy => engine.Job?.View.State == JobState.Running;

    /// <summary>Looks at the try that is under way, or begins one when it is time.</summary>
    private void Try(Assignment current, Func<UpdateJob> begin)
    {
        if (_job is { } job)
        {
            if (job.View.State == JobState.Running) return;
            EndTry(current, job);
            if (_job == job) _job = null; // not before it is written down
            return;
        }
        if (IsBusy || Now < _notBefore) return;
        // A try of which nothing is known any more: the supervisor was started anew.
        if (current.Step == AssignmentStep.Installing && current.Attempts > Pauses.Length)
        {
            Fail(current, "The supervisor went down during every try.");
            return;
        }
        try
        {
            _job = begin();
        }
        catch (UserError e) when (e.MayPass || IsBusy || engine.State.Phase == EnginePhase.Probation)
        {
            Log.Debug("The assignment waits: {Reason}", e.Message); // somebody was quicker
            return;
        }
        catch (UserError e)
        {
            Fail(current, e.ToString());
            return;
        }
        _news.Add(current.Kind == AssignmentKind.Rotation ? $"Changing {current.Rotations.First(one => one.IsOpen).Name}." : $"Fetching {current.Title}.");
        Note(current with { Step = AssignmentStep.Installing, Attempts = current.Attempts + 1 });
    }

    private void EndTry(Assignment current, UpdateJob job)
    {
        var view = job.View;
        switch (view.State)
        {
            // A bundle says itself what is in it.
            case JobState.Done when view.Version is { } version && version != current.Version && IsBundle(current):
                Note(current with { Version = version, Name = view.Workload ?? current.Name });
                Advance();
                break;
            case JobState.Done when current.Kind == AssignmentKind.Rotation:
                NoteRotation(current, current.Rotations.First(one => one.IsOpen) with { IsDone = true });
                break;
            case JobState.Done when current.Kind == AssignmentKind.Workload:
                End(current, true, [view.Message]);
                break;
            // What is in it, is known only now: it failed before, and is tried again like any other version that is assigned again.
            case JobState.Failed when current is { Kind: AssignmentKind.ImageBundle, Attempts: 1 } && engine.State.Failed.Any(failed => failed.Version == view.Version):
                engine.ClearFailed(view.Version!);
                Note(current with { Step = AssignmentStep.Accepted });
                break;
            case JobState.Cancelled when !job.GaveWay:
                End(current, false, ["Somebody at the device stopped it."]);
                break;
            case JobState.Failed when job.MayPass && current.Attempts <= Pauses.Length:
            case JobState.Cancelled:
                var pause = Pauses[Math.Clamp(current.Attempts - 1, 0, Pauses.Length - 1)];
                _notBefore = Now + pause;
                _news.Add($"Try {current.Attempts} failed, the next one begins in {pause.TotalMinutes:0} min: {view.Message}");
                Note(current with { Step = AssignmentStep.Accepted });
                break;
            default:
                Fail(current, view.Message);
                break;
        }
    }

    /// <summary>There will be no other try.</summary>
    private void Fail(Assignment current, string why)
    {
        if (current.Kind == AssignmentKind.Rotation) NoteRotation(current, current.Rotations.First(one => one.IsOpen) with { Failure = why });
        else End(current, false, [why]);
    }

    /// <summary>Forced: at once; else when the device's settings let it; not at all while the server's window is closed.</summary>
    private static bool? RestartOf(Assignment assignment) => !assignment.MayRestart ? false : assignment.IsForced ? true : null;

    private void End(Assignment current, bool success, IReadOnlyList<string> words)
    {
        Log.Write(success ? Serilog.Events.LogEventLevel.Information : Serilog.Events.LogEventLevel.Warning, "What the fleet's server assigned {Outcome}: {Title}: {Words}", success ? "is done" : "failed", current.Title, words[0]);
        Note(current with { Step = success ? AssignmentStep.Succeeded : AssignmentStep.Failed, Words = words, IsReported = false });
    }

    private void Note(Assignment next)
    {
        file.Write(next);
        Volatile.Write(ref _current, next);
    }
}
