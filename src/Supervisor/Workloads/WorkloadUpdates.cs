using System.Collections.Concurrent;
using Appliance.Core;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Workloads;

/// <summary>
/// The daemon's side of workloads: jobs that have the worker fetch releases and apply them, and what is known of the workloads.
/// The worker writes down every step; what was interrupted is gone on with.
/// </summary>
/// <param name="engine">Updates of the operating system, which have the same jobs.</param>
/// <param name="worker">Does it.</param>
internal sealed class WorkloadUpdates(UpdateEngine engine, IWorker worker)
{
    private readonly ConcurrentDictionary<string, bool> _settled = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _trouble = new(StringComparer.Ordinal);
    private IReadOnlyList<WorkloadStatus> _known = [];

    /// <summary>Raised when what is known changes.</summary>
    public event Action? Changed;

    /// <summary>The workloads as they were when they were last read, without their objects.</summary>
    public IReadOnlyList<WorkloadStatus> Known => Volatile.Read(ref _known);

    /// <summary>True when a release was being applied when the worker was interrupted.</summary>
    public bool IsInterrupted => Known.Any(workload => workload is { Included: null, State: { Trial: not null, FromImage: false } }) && engine.Job?.View.State != JobState.Running;

    /// <summary>True once this boot has a verdict on what the image brings of a workload: it was applied and is ready, or was taken back.</summary>
    public bool IsSettled(string id) => _settled.ContainsKey(id);

    /// <summary>Why what the image brings could not be applied so far, or null.</summary>
    public string? TroubleOf(string id) => _trouble.GetValueOrDefault(id);

    /// <summary>Reads the workloads anew; false when they cannot be read.</summary>
    public async Task<bool> RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            Volatile.Write(ref _known, (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Workloads }, null, null, cancellationToken)).Workloads ?? []);
            Changed?.Invoke();
            return true;
        }
        catch (Exception e) when (e is WorkerException or UserError)
        {
            Log.Warning("The workloads could not be read: {Reason}", e.Message);
            return false;
        }
    }

    /// <summary>A workload with its objects, now.</summary>
    /// <exception cref="UserError">There is none of this id.</exception>
    public async Task<WorkloadStatus> ReadAsync(string id, CancellationToken cancellationToken) =>
        (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Workloads, Workload = id }, null, null, cancellationToken)).Workloads![0];

    /// <summary>All workloads with their objects, now.</summary>
    public async Task<IReadOnlyList<WorkloadStatus>> ReadHealthAsync(CancellationToken cancellationToken) =>
        (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.WorkloadHealth }, null, null, cancellationToken)).Workloads ?? [];

    /// <summary>Whether the engine takes workloads. Where the node was drained for the last restart, it is taken back.</summary>
    public async Task<Readiness> ReadNodeAsync(CancellationToken cancellationToken) =>
        (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Node }, null, null, cancellationToken)).Node ?? Readiness.Waiting("the worker says nothing of it");

    /// <summary>What the containers of a workload printed last.</summary>
    /// <exception cref="UserError">There is no such workload or container.</exception>
    public async Task<IReadOnlyList<string>> ReadLogAsync(string id, string? container, int? lines, CancellationToken cancellationToken) =>
        (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.WorkloadLog, Workload = id, Container = container, Lines = lines }, null, null, cancellationToken)).Lines!;

    /// <summary>Looks for a release, and applies it when there is one.</summary>
    /// <param name="request">What to apply.</param>
    /// <param name="bundle">The bundle itself, where it is sent along; it is closed at the end.</param>
    /// <exception cref="UserError">Another job is under way, or a version of the operating system is on trial.</exception>
    public UpdateJob Apply(WorkloadRequest request, Stream? bundle = null)
    {
        RequireNoTrial();
        if (request is { Id: { } id, Source: null, Version: null } && bundle is null && Known.Any(workload => workload.Id == id && workload.Included is not null)) return ApplyIncluded(id, request.By, force: true);
        return Start("apply", request, bundle is null ? request with { By = "" } : null, async job =>
        {
            await using var owned = bundle;
            job.Yield(); // what was fetched stays, and the next look goes on from there
            var fetched = await worker.RunAsync(ToWorker(WorkerVerb.FetchWorkload, request) with { Source = bundle is null ? request.Source : "-" }, bundle, job, job.Cancelled);
            job.Hold();
            foreach (var warning in fetched.Warnings ?? []) Log.Warning("Fetching {Workload} {Version}: {Warning}", fetched.Workload, fetched.Version, warning);
            job.Update(view => view with { Workload = fetched.Workload, Version = fetched.Version, Message = Describe(fetched) });
            if (fetched.Verdict != "fetched")
            {
                if (fetched.Verdict == "failedBefore" && !job.IsOfTheDevice) throw new UserError(Describe(fetched), "A newer version will be taken; --force tries this one again.");
                return;
            }
            await ChangeAsync(job, ToWorker(WorkerVerb.ApplyWorkload, request) with { Workload = fetched.Workload, Version = fetched.Version });
        });
    }

    /// <summary>Looks for a release, and says what there is.</summary>
    /// <exception cref="UserError">Another job is under way.</exception>
    public UpdateJob Check(WorkloadRequest request) => Start("check", request, request with { By = "" }, async job =>
    {
        job.Yield();
        var found = await worker.RunAsync(ToWorker(WorkerVerb.CheckWorkload, request), null, null, job.Cancelled);
        job.Update(view => view with { Workload = found.Workload, Version = found.Version, Total = found.DownloadBytes ?? 0, Message = Describe(found) });
    });

    /// <summary>Goes back to the release before.</summary>
    /// <exception cref="UserError">Another job is under way.</exception>
    public UpdateJob RollBack(string id, string by)
    {
        RequireNoTrial();
        return Start("roll back", new WorkloadRequest { Id = id, By = by }, null, job => ChangeAsync(job, new WorkerRequest { Verb = WorkerVerb.RollBackWorkload, Workload = id, Reason = by }));
    }

    /// <summary>Takes a workload away.</summary>
    /// <exception cref="UserError">Another job is under way.</exception>
    public UpdateJob Remove(string id, string by) =>
        Start("remove", new WorkloadRequest { Id = id, By = by }, null, job => ChangeAsync(job, new WorkerRequest { Verb = WorkerVerb.RemoveWorkload, Workload = id }));

    /// <summary>Ends what was being applied when the worker was interrupted.</summary>
    /// <exception cref="UserError">Another job is under way.</exception>
    public UpdateJob Resume() => Start("resume", new WorkloadRequest(), null, job => ChangeAsync(job, new WorkerRequest { Verb = WorkerVerb.ResumeWorkloads }));

    /// <summary>Makes a workload what the image brings of it, also while the image is on trial: it is a part of it.</summary>
    /// <param name="id">The workload.</param>
    /// <param name="by">Who wants it.</param>
    /// <param name="force">Also a release in whose application the device went down too often.</param>
    /// <exception cref="UserError">Another job is under way.</exception>
    public UpdateJob ApplyIncluded(string id, string by, bool force) => Start("apply", new WorkloadRequest { Id = id, By = by }, null, async job =>
    {
        try
        {
            await ChangeAsync(job, new WorkerRequest { Verb = WorkerVerb.ApplyIncluded, Workload = id, Force = force }, () => _settled[id] = true);
        }
        catch (Exception e) when (e is UserError or WorkerException)
        {
            _trouble[id] = e.Message;
            throw;
        }
    });

    private void RequireNoTrial()
    {
        if (engine.State is { Phase: EnginePhase.Probation, Pending: { } pending })
            throw new UserError($"Version {pending.Version} of the operating system is on trial; nothing is applied before its verdict.", "Wait for the verdict (appliancectl status), keep it (mark-good) or go back (rollback).");
    }

    private UpdateJob Start(string kind, WorkloadRequest request, object? key, Func<UpdateJob, Task> work) => engine.Jobs.Start(kind, request.By, key, async job =>
    {
        job.Update(view => view with { Workload = request.Id, Version = request.Version });
        try
        {
            await work(job);
        }
        finally
        {
            if (!engine.Jobs.Stopping.IsCancellationRequested) await RefreshAsync(CancellationToken.None);
        }
    });

    /// <summary>Has the worker change something, and takes it back when somebody stops the job.</summary>
    private async Task ChangeAsync(UpdateJob job, WorkerRequest request, Action? onEnd = null)
    {
        WorkerResult result;
        try
        {
            result = await worker.RunAsync(request, null, job, job.Cancelled);
        }
        catch (OperationCanceledException) when (!engine.Jobs.Stopping.IsCancellationRequested)
        {
            job.Update(view => view with { Phase = "reverting" });
            await RefreshAsync(CancellationToken.None); // what is on trial began after the last look
            foreach (var id in request.Workload is { } one ? [one] : Known.Where(workload => workload.State.Trial is not null).Select(workload => workload.Id).ToList())
                await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.GiveUpWorkload, Workload = id, Reason = "somebody stopped it" }, null, job, engine.Jobs.Stopping);
            onEnd?.Invoke();
            throw;
        }
        onEnd?.Invoke();
        var ended = result.Outcomes ?? [];
        foreach (var (id, entry) in ended) Log.Information("Workload {Workload}: {Outcome} {Version} {Detail}", id, entry.Outcome, entry.Version, entry.Detail);
        if (ended.FirstOrDefault(outcome => outcome.Event.Outcome is not (ReleaseTransaction.Applied or ReleaseTransaction.Removed)) is { } failed)
            throw new UserError($"Version {failed.Event.Version} of {failed.Workload} was not kept: {failed.Event.Detail}", failed.Event.From is { } old && old != failed.Event.Version ? $"Version {old} runs again." : null);
        job.Update(view => view with { Message = ended.Count == 0 ? "there was nothing to do" : string.Join("; ", ended.Select(Describe)) });
    }

    private static string Describe(WorkloadOutcome outcome) =>
        $"{outcome.Workload}{(outcome.Event.Outcome == ReleaseTransaction.Removed ? " is removed" : $" runs version {outcome.Event.Version}")}{(outcome.Event.Detail.Length > 0 ? $". {outcome.Event.Detail}" : "")}";

    private static string Describe(WorkerResult found) => found.Verdict switch
    {
        "available" => $"version {found.Version} of {found.Workload} can be applied{(found.DownloadBytes is { } bytes ? $"; {ByteSize.Format(bytes)} to download" : "")}",
        "fetched" => $"version {found.Version} of {found.Workload} is here; {ByteSize.Format(found.DownloadBytes ?? 0)} downloaded",
        "waiting" => $"there is version {found.Version} of {found.Workload}, and its rollout has not reached this device",
        "failedBefore" => $"there is version {found.Version} of {found.Workload}, which was tried here and not kept",
        _ => $"the newest version of {found.Workload} is here",
    };

    private static WorkerRequest ToWorker(WorkerVerb verb, WorkloadRequest request) =>
        new() { Verb = verb, Workload = request.Id, Source = request.Source, Channel = request.Channel, Version = request.Version, Force = request.Force };
}
