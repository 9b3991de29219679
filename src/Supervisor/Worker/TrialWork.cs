using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Hooks;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Serilog;

namespace Appliance.Supervisor.Worker;

/// <summary>The verbs that decide what boots: restart, keep, give up.</summary>
internal sealed class TrialWork(WorkerOptions options, IBootControl boot, Func<EngineAccess> openEngine, StateSnapshots state)
{
    /// <summary>Present once what runs was kept; <c>appliance-trial-failed.service</c> leaves such a boot alone.</summary>
    public const string KeptMark = "run/appliance/kept";

    /// <summary>Present while the node is drained for a restart that comes.</summary>
    public const string DrainMark = "run/appliance/draining";

    /// <summary>A server that does not answer is not waited for longer than this beyond the limit.</summary>
    private static readonly TimeSpan DrainOverhead = TimeSpan.FromSeconds(10);

    /// <summary>Restarts the machine unless something asks not to.</summary>
    public async Task<WorkerResult> RebootAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        await using var bus = new BusConnection(options.BusAddress);
        var login = new Login1(bus);
        if (!request.Force && await login.ListShutdownBlocksAsync() is { Count: > 0 } blocks) return new WorkerResult { Inhibitors = blocks };
        if (request.Version is { } version) await options.Hooks.RunAsync(HookPoint.PreReboot, Context(version, request.Slot), cancellationToken);
        try
        {
            if (!request.Force) await DrainAsync(cancellationToken);
            if (request.Slot is not null) await boot.PrepareRestartAsync(cancellationToken);
            await login.RebootAsync(request.Force);
        }
        catch
        {
            await TakeBackAsync();
            throw;
        }
        return new WorkerResult();
    }

    /// <summary>Keeps what runs.</summary>
    public async Task<WorkerResult> MarkGoodAsync(CancellationToken cancellationToken)
    {
        await KeepAsync(cancellationToken);
        return new WorkerResult();
    }

    /// <summary>Makes the boot loader pass a slot over; the running one when none is named.</summary>
    public async Task<WorkerResult> MarkBadAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        var slots = await boot.ReadSlotsAsync(cancellationToken);
        var slot = slots.FirstOrDefault(slot => request.Slot is null ? slot.Running : slot.Name == request.Slot) ?? throw new UserError($"There is no slot {request.Slot}.", "The slots are a and b.");
        await boot.MarkBadAsync(slot.Name, cancellationToken);
        return new WorkerResult { Slot = slot.Name, Version = slot.Version };
    }

    /// <summary>The version on trial is kept. Can be repeated after an interruption: the record goes late, and the next boot ends what follows.</summary>
    public async Task<WorkerResult> CommitAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        await KeepAsync(cancellationToken);
        var from = TrialRecord.TryRead(options.TrialPath)?.From ?? "";
        var warnings = await options.Hooks.RunAsync(HookPoint.PostCommit, Context(request.Version!) with { FromVersion = from }, cancellationToken);
        TrialRecord.Delete(options.TrialPath);
        await state.CommitAsync();
        return new WorkerResult { Warnings = warnings };
    }

    /// <summary>The version that was on trial is given up; the device is back on another.</summary>
    public async Task<WorkerResult> GiveUpAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        var other = (await boot.ReadSlotsAsync(cancellationToken)).Single(slot => !slot.Running);
        // The tries that it may have left would be taken at the next restart.
        if (other.Version == request.Version && other.State == SlotState.Trial) await boot.MarkBadAsync(other.Name, cancellationToken);
        var warnings = await options.Hooks.RunAsync(HookPoint.PostRollback, Context(request.Version!, other.Name) with { Reason = request.Reason ?? "" }, cancellationToken);
        TrialRecord.Delete(options.TrialPath);
        return new WorkerResult { Warnings = warnings };
    }

    /// <summary>Sends the pods to other nodes of the cluster, where there are any. Nothing of this keeps the machine from restarting.</summary>
    private async Task DrainAsync(CancellationToken cancellationToken)
    {
        if (ImageIdentity.Read(options.Root).WorkloadsEngine == "none") return;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            var limit = ImageSettings.ReadUpdates(options.Root).Drain;
            if (limit == TimeSpan.Zero) return;
            stop.CancelAfter(limit + DrainOverhead);
            await using var engine = openEngine();
            if (engine.Node is not { } node) return;
            await PutMarkAsync(Mark, cancellationToken);
            if (await node.DrainAsync(limit, stop.Token) is not { } left) return;
            if (left.Count == 0) Log.Information("The node is drained for the restart");
            else Log.Warning("Restarting with pods that did not leave in {Limit:0} s: {Pods}", limit.TotalSeconds, string.Join(", ", left));
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Log.Warning("The node was not drained for the restart: {Reason}", e.Message);
        }
    }

    private string Mark => Path.Combine(options.Root, DrainMark);

    /// <summary>The restart does not come.</summary>
    private async Task TakeBackAsync()
    {
        if (!File.Exists(Mark)) return;
        File.Delete(Mark);
        using var limit = new CancellationTokenSource(DrainOverhead);
        try
        {
            await using var engine = openEngine();
            if (engine.Node is { } node) await node.UncordonAsync(limit.Token);
        }
        catch (Exception e)
        {
            Log.Warning("The node was drained for a restart that does not come, and is not taken back yet: {Reason}", e.Message);
        }
    }

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        await boot.MarkGoodAsync(cancellationToken);
        await PutMarkAsync(Path.Combine(options.Root, KeptMark), cancellationToken);
    }

    private static Task PutMarkAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return File.WriteAllBytesAsync(path, [], cancellationToken);
    }

    private HookContext Context(string version, string? slot = null) => new() { Version = version, FromVersion = ImageIdentity.Read(options.Root).Version, Slot = slot ?? "" };
}
