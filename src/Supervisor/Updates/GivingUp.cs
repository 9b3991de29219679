using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>
/// Gives up a slot because somebody wants that. It is written down before it is done: after a cut in between, a version that
/// somebody went back from must not be taken for a new one. But a disk that takes no note is no reason to stay on it.
/// </summary>
internal sealed class GivingUp(UpdateMemory memory, DeviceSlots slots, IWorker worker, IDeviceBoot device, TimeProvider time)
{
    /// <summary>True while a version that was given up is still what boots, or what runs and is to be left.</summary>
    public bool IsUnfinished => memory.State.Pending is { GivenUp: not null } pending && (pending.Leave || slots.Find(pending.Slot)?.State != SlotState.Bad);

    /// <summary>Gives a slot up; can be repeated.</summary>
    /// <param name="slot">The slot; null for the running one.</param>
    /// <param name="why">Why, in a sentence.</param>
    /// <param name="leave">Whether the running version is left as soon as that is possible, or with whichever restart comes.</param>
    /// <param name="cancellationToken">Ends the wait for the worker.</param>
    /// <exception cref="UserError">Nothing is left that could boot; nothing has changed.</exception>
    public async Task RunAsync(string? slot, string why, bool leave, CancellationToken cancellationToken)
    {
        if (slots.Known.Count == 0) await slots.RefreshAsync(cancellationToken);
        var before = memory.State;
        var running = slot is null || slots.Find(slot) is { Running: true };
        memory.Note(state => Intend(state, running, slot, why, leave));
        WorkerResult result;
        try
        {
            result = await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.MarkBad, Slot = slot }, null, null, cancellationToken);
        }
        catch (Exception e) when (e is UserError or WorkerException)
        {
            // A worker that refused has done nothing; one that failed has, or has not.
            if (e is UserError || (await slots.RefreshAsync(cancellationToken) && slots.Known.Any(known => (slot is null ? known.Running : known.Name == slot) && known.State != SlotState.Bad)))
                memory.Note(state => state with { Failed = before.Failed, History = before.History, Pending = state.Pending is { } pending ? pending with { GivenUp = before.Pending?.GivenUp, Leave = before.Pending?.Leave == true } : null });
            throw;
        }
        if (!running && result.Version is { } version)
            memory.Note(state => state.Pending?.Version == version ? Failed(state, version, why) with { Phase = EnginePhase.Idle, Pending = null } : Failed(state, version, why));
    }

    /// <summary>What was given up and cannot be, because nothing else would boot, stays: nobody tries that for ever.</summary>
    public async Task ForgetWhatCannotBeAsync(PendingUpdate pending, CancellationToken cancellationToken)
    {
        if (!await slots.RefreshAsync(cancellationToken) || slots.Find(pending.Slot) is not { } slot || slots.Known.FirstOrDefault(other => other != slot) is not { } rest || slot.State == SlotState.Bad) return;
        try
        {
            DiskSlot.CheckGiveUp(slot, rest);
        }
        catch (UserError e)
        {
            Log.Error("Version {Version} stays although it was given up: {Reason}", pending.Version, e.Message);
            memory.Note(state => state.Pending is { } left && left.Version == pending.Version ? state with { Pending = left with { GivenUp = null, Leave = false } } : state);
        }
    }

    private UpdateState Intend(UpdateState state, bool running, string? slot, string why, bool leave)
    {
        if (state.Pending is { } pending && (pending.Version == device.Version ? running : pending.Slot == slot)) return state with { Pending = pending with { GivenUp = why, Leave = leave } };
        return running ? Failed(state, device.Version, why).With(new HistoryEntry(time.GetUtcNow(), "rolledBack", device.Version, device.Version, why)) : state;
    }

    private UpdateState Failed(UpdateState state, string version, string why) => state.With(new FailedVersion { Version = version, Reason = why, At = time.GetUtcNow() });
}
