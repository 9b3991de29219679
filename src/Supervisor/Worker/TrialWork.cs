using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Hooks;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Worker;

/// <summary>The verbs that decide what boots: restart, keep, give up.</summary>
internal sealed class TrialWork(WorkerOptions options, IBootControl boot, StateSnapshots state)
{
    /// <summary>Present once what runs was kept; <c>appliance-trial-failed.service</c> leaves such a boot alone.</summary>
    public const string KeptMark = "run/appliance/kept";

    /// <summary>Restarts the machine unless something asks not to.</summary>
    public async Task<WorkerResult> RebootAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        await using var bus = new BusConnection(options.BusAddress);
        var login = new Login1(bus);
        if (!request.Force && await login.ListShutdownBlocksAsync() is { Count: > 0 } blocks) return new WorkerResult { Inhibitors = blocks };
        if (request.Version is { } version) await options.Hooks.RunAsync(HookPoint.PreReboot, Context(version, request.Slot), cancellationToken);
        if (request.Slot is not null) await boot.PrepareRestartAsync(cancellationToken);
        await login.RebootAsync(request.Force);
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

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        await boot.MarkGoodAsync(cancellationToken);
        var mark = Path.Combine(options.Root, KeptMark);
        Directory.CreateDirectory(Path.GetDirectoryName(mark)!);
        await File.WriteAllBytesAsync(mark, [], cancellationToken);
    }

    private HookContext Context(string version, string? slot = null) => new() { Version = version, FromVersion = ImageIdentity.Read(options.Root).Version, Slot = slot ?? "" };
}
