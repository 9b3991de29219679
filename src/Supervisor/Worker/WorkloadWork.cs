using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Install;
using ClientFacts = Appliance.UpdateClient.Install.DeviceFacts;

namespace Appliance.Supervisor.Worker;

/// <summary>The verbs of workloads: fetch releases, apply them, look at them.</summary>
internal sealed class WorkloadWork(WorkerOptions options, Func<EngineAccess> openEngine, TimeProvider time)
{
    private const string Available = "available", FailedBefore = "failedBefore", Ready = "ready";
    private const int MostLines = 1000, MostEventsListed = 5, LockTries = 30;
    private static readonly TimeSpan LockPause = TimeSpan.FromSeconds(1);
    private readonly RepositoryAccess _access = new(options, time);
    private readonly WorkloadFolder _folder = new(options.WorkloadFolder, options.OnWorkloadStep);
    private readonly ImageReleases _image = new(options.Root);

    /// <summary>Reads the workloads.</summary>
    public async Task<WorkerResult> ReadAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        if (request.Workload is { } id) return new WorkerResult { Workloads = [await ReadObjectsAsync(id, cancellationToken)] };
        var all = new List<WorkloadStatus>();
        foreach (var known in AllIds) all.Add(await ListedAsync(known, cancellationToken));
        return new WorkerResult { Workloads = all };
    }

    /// <summary>Reads the workloads with their objects.</summary>
    public async Task<WorkerResult> ReadHealthAsync(CancellationToken cancellationToken)
    {
        var all = new List<WorkloadStatus>();
        foreach (var id in AllIds)
        {
            try
            {
                all.Add(await ReadObjectsAsync(id, cancellationToken));
            }
            catch (InvalidDataException e)
            {
                all.Add(new WorkloadStatus(id, new WorkloadState()) { Trouble = e.Message });
            }
        }
        return new WorkerResult { Workloads = all };
    }

    /// <summary>Asks whether the engine takes workloads; the node that was drained for the last restart is taken back.</summary>
    public async Task<WorkerResult> ReadNodeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var engine = openEngine();
            if (engine.Node is not { } node) return new WorkerResult { Node = Readiness.Ready("this engine has no node that must be ready") };
            if (!File.Exists(Path.Combine(options.Root, TrialWork.DrainMark))) await node.UncordonAsync(cancellationToken);
            return new WorkerResult { Node = await node.ReadAsync(cancellationToken) };
        }
        catch (Exception e) when (e is EngineUnavailableException or KubernetesError)
        {
            return new WorkerResult { Node = Readiness.Waiting(e.Message) };
        }
    }

    /// <summary>
    /// Makes a workload what the image brings of it. One that only an image before brought gives way to what was here before that,
    /// or goes.
    /// </summary>
    public Task<WorkerResult> ApplyIncludedAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var id = request.Workload ?? "";
        WorkloadFolder.RequireId(id);
        return _image.Has(id) ? BringAsync(request, id, progress, cancellationToken) : LetGoAsync(request, id, progress, cancellationToken);
    }

    private async Task<WorkerResult> BringAsync(WorkerRequest request, string id, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var store = _folder.Store(id);
        var release = await _image.ReadAsync(id, cancellationToken);
        // An engine may have lost what it was told, or have another idea of it since.
        if (IsTheImages(store.Read(), release) && await store.HoldsAsync(release, cancellationToken) && (await ReadObjectsAsync(id, cancellationToken)).Objects is { } objects && objects.All(found => found.State == Ready)) return new WorkerResult { Outcomes = [] };
        using (_folder.Lock(id))
        {
            var state = store.Read();
            if (!request.Force && state is { Trial: null } && state.WhyNotKept(release.Version) is { } reason && reason.StartsWith(ReleaseTransaction.Interrupted, StringComparison.Ordinal))
                throw new UserError($"Version {release.Version} of {id}, which the image brings, was given up: {reason}", $"appliancectl workloads apply {id} tries it again.");
            store.Write(state.FromImage ? state : state with { FromImage = true, Before = state.Current });
            if (state.Trial is { } trial && trial.Version != release.Version) ReleaseTransaction.GiveUp(store, "the image that brought it does not run any more");
            if (!await store.HoldsAsync(release, cancellationToken))
            {
                progress.Report(new WorkerProgress("copying", 0, 0, 0, 0, null));
                var copy = Path.Combine(_folder.FetchFolder(id), WorkloadRelease.PayloadName);
                await _image.CopyAsync(id, copy, cancellationToken);
                store.Put(copy, release.Version);
            }
        }
        // By force: that it was not kept once was another boot's verdict. Whether this image is kept, its own trial says.
        return await ChangeAsync(request, progress, async transaction => await transaction.ResumeAsync(release.Version, cancellationToken) is { } ended && ended.Version == release.Version
            && (ended.Outcome != ReleaseTransaction.Applied || IsTheImages(store.Read(), release)) ? ended // of its version there may have been another
            : await transaction.ApplyAsync(release.Version, force: true, CancellationToken.None, cancellationToken));
    }

    private async Task<WorkerResult> LetGoAsync(WorkerRequest request, string id, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var store = _folder.Existing(id);
        var state = store.Read();
        if (!state.FromImage) return new WorkerResult { Outcomes = [] };
        if (state.Trial is { } trial && trial.Version != state.Before)
            using (_folder.Lock(id)) ReleaseTransaction.GiveUp(store, "the image that brought it does not run any more");
        if (state.Before is not { } before) return await ChangeAsync(request, progress, async transaction => await transaction.RemoveAsync(cancellationToken));
        var result = await ChangeAsync(request, progress, async transaction => await transaction.ResumeAsync(before, cancellationToken) is { Outcome: ReleaseTransaction.Applied } ended && ended.Version == before ? ended
            : await transaction.ApplyAsync(before, force: true, CancellationToken.None, cancellationToken));
        if (store.Read() is { Trial: null } now && now.Current == before)
            using (_folder.Lock(id)) store.Write(now with { FromImage = false, Before = null });
        return result;
    }

    private bool IsTheImages(WorkloadState state, WorkloadRelease release) =>
        state is { Trial: null, FromImage: true } && state.Current == release.Version && state.Applied == WorkloadStore.MarkOf(release, EngineName);

    private string EngineName => ImageIdentity.Read(options.Root).WorkloadsEngine;

    /// <summary>Looks for a release.</summary>
    public Task<WorkerResult> CheckAsync(WorkerRequest request, Stream connection, CancellationToken cancellationToken) =>
        WithReleaseAsync(request, connection, found => found.Plan is null ? found.Result : found.Result with { DownloadBytes = found.Plan.DownloadBytes, Notes = LastCheck.Kept(found.Plan.Release.Notes) }, cancellationToken);

    /// <summary>Fetches a release into the workload's store.</summary>
    public Task<WorkerResult> FetchAsync(WorkerRequest request, Stream connection, IProgress<WorkerProgress> progress, CancellationToken cancellationToken) =>
        WithReleaseAsync(request, connection, async found =>
        {
            if (found.Plan is null) return found.Result;
            var version = found.Plan.Release.Header.Version;
            var result = await found.Fetcher.FetchAsync(found.Plan, found.Path, found.Options, RepositoryAccess.Translate(progress), cancellationToken);
            found.Store.Put(found.Path, version);
            return found.Result with { Verdict = "fetched", DownloadBytes = result.Downloaded, Ways = result.Ways, Warnings = result.Warnings };
        }, cancellationToken);

    /// <summary>Applies a release that is in the store.</summary>
    public Task<WorkerResult> ApplyAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken) =>
        ChangeAsync(request, progress, async transaction =>
        {
            var version = request.Version ?? throw new UserError("no version was named");
            try
            {
                return await transaction.ApplyAsync(version, request.Force, CancellationToken.None, cancellationToken);
            }
            catch (UserError) when (_folder.Existing(request.Workload!) is var store && store.Read() is { Trial: null } state)
            {
                store.KeepOnly([.. state.Kept, version]); // refused ones do not pile up
                throw;
            }
        });

    /// <summary>Goes back to the release before.</summary>
    public Task<WorkerResult> RollBackAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        _image.RequireOther(request.Workload);
        return ChangeAsync(request, progress, async transaction => await transaction.GoBackAsync(request.Reason ?? "somebody", CancellationToken.None, cancellationToken));
    }

    /// <summary>Takes a workload away.</summary>
    public Task<WorkerResult> RemoveAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        _image.RequireOther(request.Workload);
        return ChangeAsync(request, progress, async transaction => await transaction.RemoveAsync(cancellationToken));
    }

    /// <summary>Gives up what is being applied.</summary>
    public async Task<WorkerResult> GiveUpAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var (id, reason) = (request.Workload ?? "", request.Reason ?? "somebody stopped it");
        var store = _folder.Existing(id);
        // The worker that was stopped may still be on its way out.
        for (var left = LockTries; ; left--)
        {
            try
            {
                using var guard = _folder.Lock(id);
                ReleaseTransaction.GiveUp(store, reason); // whether the engine answers or not
                break;
            }
            catch (UserError) when (left > 0)
            {
                await Task.Delay(LockPause, cancellationToken);
            }
        }
        return await ChangeAsync(request, progress, transaction => transaction.ResumeAsync(cancellationToken));
    }

    /// <summary>Ends what an earlier worker left half done, of one workload or of all.</summary>
    public async Task<WorkerResult> ResumeAsync(WorkerRequest request, IProgress<WorkerProgress> progress, CancellationToken cancellationToken)
    {
        var outcomes = new List<WorkloadOutcome>();
        UserError? first = null;
        foreach (var id in request.Workload is { } one ? [one] : _folder.Ids)
        {
            if (!IsInterrupted(id)) continue;
            try
            {
                outcomes.AddRange((await ChangeAsync(request with { Workload = id }, progress, transaction => transaction.ResumeAsync(cancellationToken))).Outcomes!);
            }
            catch (UserError e)
            {
                first ??= e; // one that cannot go on does not keep the others
            }
        }
        return first is null || outcomes.Count > 0 ? new WorkerResult { Outcomes = outcomes } : throw first;
    }

    /// <summary>Reads the logs of a workload's containers.</summary>
    public async Task<WorkerResult> ReadLogAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        var store = _folder.Existing(request.Workload ?? "");
        var state = store.Read();
        var version = state.Trial?.Version ?? state.Current ?? throw new UserError($"The workload {request.Workload} has no release.");
        return await AskAsync(async engine => new WorkerResult { Lines = await engine.ReadLogAsync(await store.ReadReleaseAsync(version, cancellationToken), request.Container, Math.Clamp(request.Lines ?? 100, 1, MostLines), cancellationToken) });
    }

    private sealed record Found(WorkloadFetcher Fetcher, WorkloadStore Store, UpdateOptions Options, UpdatePlan? Plan, string Path, WorkerResult Result);

    private Task<WorkerResult> WithReleaseAsync(WorkerRequest request, Stream connection, Func<Found, WorkerResult> use, CancellationToken cancellationToken) =>
        WithReleaseAsync(request, connection, found => Task.FromResult(use(found)), cancellationToken);

    /// <summary>Finds a release in a repository or bundle and plans to fetch it, where there is one to fetch.</summary>
    private async Task<WorkerResult> WithReleaseAsync(WorkerRequest request, Stream connection, Func<Found, Task<WorkerResult>> use, CancellationToken cancellationToken)
    {
        if (request.Workload is { } named) WorkloadFolder.RequireId(named);
        _image.RequireOther(request.Workload);
        var source = await _access.OpenAsync(request, connection, cancellationToken);
        try
        {
            var fetcher = new WorkloadFetcher(source, _access.Trust(source), _access.ChannelOf(request));
            await fetcher.RefreshAsync(cancellationToken);
            _access.KeepTime();
            var id = request.Workload ?? fetcher.ReadOnlyId();
            _image.RequireOther(id);
            var store = _folder.Store(id);
            var folder = _folder.FetchFolder(id);
            using var guard = _folder.Lock(id);
            var state = store.Read();
            var client = new UpdateOptions { StateFolder = folder, Version = request.Version, Force = request.Force, Time = time };
            var check = fetcher.Choose(Facts(id, state.Current), client);
            var result = new WorkerResult { Workload = id, Version = check.Offer?.Version, Verdict = JsonNamingPolicy.CamelCase.ConvertName(check.Verdict.ToString()) };
            if (result.Verdict == Available && !request.Force && state.WhyNotKept(check.Offer!.Version) is not null) result = result with { Verdict = FailedBefore };
            var path = Path.Combine(folder, WorkloadRelease.PayloadName);
            if (result.Verdict != Available) return await use(new Found(fetcher, store, client, null, path, result));
            Directory.CreateDirectory(folder);
            // It was fetched, and then refused or interrupted: it need not come again.
            var version = check.Offer!.Version;
            var isUsed = version == state.Current || version == state.Previous || version == state.Trial?.Version;
            if (!isUsed && request.Verb == WorkerVerb.FetchWorkload && File.Exists(store.PayloadOf(version))) File.Move(store.PayloadOf(version), path, overwrite: true);
            using var plan = await fetcher.PlanAsync(check, state.Current, state.Current is { } current ? store.PayloadOf(current) : null, path, client, cancellationToken);
            return await use(new Found(fetcher, store, client, plan, path, result));
        }
        finally
        {
            await RepositoryAccess.CloseAsync(source);
        }
    }

    private async Task<WorkerResult> ChangeAsync(WorkerRequest request, IProgress<WorkerProgress> progress, Func<ReleaseTransaction, Task<ReleaseEvent?>> change)
    {
        var id = request.Workload ?? "";
        var store = _folder.Existing(id);
        using var guard = _folder.Lock(id);
        return await AskAsync(async engine =>
        {
            var transaction = new ReleaseTransaction(store, engine, options.WorkloadTiming, time) { Policy = ImageSettings.ReadSignatures(options.Root), EngineName = EngineName, ReadOthersImages = token => _folder.ReadImagesOfOthersAsync(id, token), OnPhase = phase => progress.Report(new WorkerProgress(phase, 0, 0, 0, 0, null)) };
            return new WorkerResult { Workload = id, Outcomes = await change(transaction) is { } ended ? [new WorkloadOutcome(id, ended)] : [] };
        });
    }

    /// <summary>That the engine does not answer is nobody's mistake, but somebody may want to know.</summary>
    private async Task<WorkerResult> AskAsync(Func<IWorkloadEngine, Task<WorkerResult>> ask)
    {
        try
        {
            await using var engine = openEngine();
            return await ask(engine.Engine);
        }
        catch (EngineUnavailableException e)
        {
            throw new UserError($"The workload engine does not answer: {e.Message}", "What was begun goes on when it does.", e);
        }
    }

    /// <summary>Whether it is to be gone on with. What an image brings is another matter: perhaps another image runs now.</summary>
    private bool IsInterrupted(string id)
    {
        try
        {
            return _folder.Store(id).Read() is { Trial: not null, FromImage: false };
        }
        catch (InvalidDataException)
        {
            return false; // it is shown as trouble
        }
    }

    /// <summary>Those that are here, and those that the image brings.</summary>
    private IReadOnlyList<string> AllIds => [.. _folder.Ids.Union(_image.Ids, StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>A workload as lists show it. One whose state cannot be read is no reason not to show the others.</summary>
    private async Task<WorkloadStatus> ListedAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            var state = _folder.Store(id).Read();
            return await WithTheImagesAsync(new WorkloadStatus(id, state with { History = [.. state.History.TakeLast(MostEventsListed)] }), cancellationToken);
        }
        catch (Exception e) when (e is InvalidDataException or UserError)
        {
            return new WorkloadStatus(id, new WorkloadState()) { Trouble = e.Message };
        }
    }

    private async Task<WorkloadStatus> ReadObjectsAsync(string id, CancellationToken cancellationToken)
    {
        WorkloadFolder.RequireId(id);
        var store = _image.Has(id) ? _folder.Store(id) : _folder.Existing(id);
        var state = store.Read();
        var status = new WorkloadStatus(id, state);
        try
        {
            status = await WithTheImagesAsync(status, cancellationToken);
            if ((state.Trial?.Version ?? state.Current) is not { } version) return status with { Objects = [] };
            await using var engine = openEngine();
            var objects = await engine.Engine.ReadStatusAsync(await store.ReadReleaseAsync(version, cancellationToken), cancellationToken);
            return status with { Objects = [.. objects.Select(found => new WorkloadObject(found.Object.ToString(), JsonNamingPolicy.CamelCase.ConvertName(found.Readiness.State.ToString()), found.Readiness.Message))] };
        }
        catch (Exception e) when (e is EngineUnavailableException or UserError)
        {
            return status with { Trouble = e.Message };
        }
    }

    private async Task<WorkloadStatus> WithTheImagesAsync(WorkloadStatus status, CancellationToken cancellationToken)
    {
        if (!_image.Has(status.Id)) return status;
        var release = await _image.ReadAsync(status.Id, cancellationToken);
        return status with { Included = release.Version, IsTheImages = IsTheImages(status.State, release) };
    }

    private ClientFacts Facts(string id, string? version) =>
        new() { Kind = BundleKind.Workload, DeviceId = DeviceId.Read(options.Root), Id = id, Board = BundleHeader.AnyBoard, Architecture = DebianArchitecture.Host, Version = version };
}
