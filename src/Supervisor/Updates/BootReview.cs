using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Updates;

/// <summary>
/// Compares what the engine remembers with what booted, and so finds out how a restart ended: the first thing the engine does.
/// It only computes; nothing here touches the device.
/// </summary>
/// <param name="time">Clock.</param>
internal sealed class BootReview(TimeProvider time)
{
    /// <summary>Boots of the old version without a try of the new one after which it is given up.</summary>
    private const int MostNotTried = 3;

    /// <summary>The engine's state from now on, and what has to be done about it.</summary>
    public BootJudgement Judge(UpdateState state, BootFacts facts)
    {
        state = Recall(state, facts);
        if (state.Phase == EnginePhase.Downloading) return new(state, BootOutcome.GoOn, null);
        if (state.Pending is not { } pending)
            return new(state with { Phase = EnginePhase.Idle }, facts.Trial is { } left && left.Version != facts.Version && left.InstalledBy != facts.BootId ? BootOutcome.TidyUp : BootOutcome.Nothing, null);
        var givenUp = pending.GivenUp is not null;
        if (facts.BootId == pending.InstalledBy) return new(state with { Phase = EnginePhase.Installed }, givenUp ? BootOutcome.GivenUp : BootOutcome.Wait, pending);
        if (facts.Version == pending.Version) return OnTrial(state, pending, facts);
        var slot = facts.Slots?.FirstOrDefault(slot => slot.Name == pending.Slot);
        // Without knowing the slots nothing is decided, and nothing done: a restart could be one of many.
        if (facts.Slots is null) return new(state, BootOutcome.Unknown, pending);
        var tried = pending.Boots.Count > 0 || slot is { State: SlotState.Bad } || slot is { TriesDone: > 0 };
        if (tried || givenUp || slot?.Version != pending.Version || pending.NotTried + 1 >= MostNotTried) return RolledBack(state, pending, facts, tried, slot);
        return new(state with { Phase = EnginePhase.Installed, Pending = pending with { NotTried = pending.NotTried + 1, InstalledBy = facts.BootId } }, BootOutcome.Wait, pending);
    }

    /// <summary>
    /// The state when the boot loader has given up a version that was kept: it crashed later, or its slot was damaged. Installed
    /// anew, a damaged slot is whole again; a version that goes the same way twice is not taken a third time.
    /// </summary>
    public UpdateState JudgeKept(UpdateState state, string running, IReadOnlyList<SlotStatus> slots)
    {
        const string kept = "committed", outcome = "rolledBack", reason = "it was kept, and later could not be started any more (a crash after it was kept, or a damaged slot)";
        if (state.Pending is not null || slots.FirstOrDefault(slot => !slot.Running) is not { State: SlotState.Bad, Version: { } version }) return state;
        if (UapiVersion.Compare(version, running) <= 0 || state.Failed.Any(failed => failed.Version == version)) return state;
        // It was what the device stood on: an older version that somebody forced gives the newer one up, too.
        if (state.History.LastOrDefault(entry => entry.Outcome == kept)?.Version != version || state.History.Last(entry => entry.Version == version).Outcome != kept) return state;
        var twice = state.History.Any(entry => entry.Version == version && entry.Outcome == outcome && entry.Detail == reason);
        var next = state.With(new HistoryEntry(time.GetUtcNow(), outcome, version, running, reason));
        return twice ? next.With(new FailedVersion { Version = version, Reason = reason, At = time.GetUtcNow() }) : next;
    }

    /// <summary>The state when a kept version that somebody went back from still runs and is good: the power went before anything was done.</summary>
    public UpdateState JudgeRunning(UpdateState state, string running, IReadOnlyList<SlotStatus> slots)
    {
        if (state.Pending is not null || state.Failed.All(failed => failed.Version != running) || slots.FirstOrDefault(slot => slot.Running) is not { State: SlotState.Good }) return state;
        return state.Without(running).With(new HistoryEntry(time.GetUtcNow(), "failed", running, running, "it was given up, and the power went before that was done; ask for it again"));
    }

    /// <summary>
    /// What the state does not say and the trial's record does: the power went between the new boot entry and the note about it,
    /// or the state was lost.
    /// </summary>
    private UpdateState Recall(UpdateState state, BootFacts facts)
    {
        if (facts.Trial is not { } trial || state.Pending?.Version == trial.Version) return state;
        var slot = facts.Slots?.FirstOrDefault(slot => slot.Name == trial.Slot);
        var booted = facts.Version == trial.Version && facts.BootId != trial.InstalledBy;
        // The record is there before the version is: it may be the record of an installation that is not over.
        var came = booted || (slot?.Version == trial.Version && slot.State is SlotState.Bad or SlotState.Trial && facts.BootId != trial.InstalledBy);
        if (!came || (!booted && state.Failed.Any(failed => failed.Version == trial.Version))) return state;
        return state with
        {
            Phase = EnginePhase.Installed,
            Request = null,
            Pending = PendingUpdate.Of(trial) with { InstalledAt = time.GetUtcNow(), Reboot = state.Request?.Reboot },
        };
    }

    private BootJudgement OnTrial(UpdateState state, PendingUpdate pending, BootFacts facts)
    {
        var again = pending.Boots.Any(boot => boot.BootId == facts.BootId);
        // Given up and started all the same: that restart was to lead away from it.
        var next = state with { Phase = EnginePhase.Probation, Pending = pending with { Boots = again ? pending.Boots : [.. pending.Boots, new TrialBoot(facts.BootId, time.GetUtcNow(), [])], Leave = pending.Leave || (pending.GivenUp is not null && !again) } };
        // Where nobody can tell whether the boot loader counts, nothing is kept unjudged.
        return new(next, pending.GivenUp is not null ? BootOutcome.GivenUp : facts.BootState == BootState.Good ? BootOutcome.Commit : BootOutcome.Judge, next.Pending);
    }

    private BootJudgement RolledBack(UpdateState state, PendingUpdate pending, BootFacts facts, bool tried, SlotStatus? slot)
    {
        var failed = new FailedVersion { Version = pending.Version, Reason = Reason(pending, tried, slot), At = time.GetUtcNow(), Failures = pending.Boots.LastOrDefault(boot => boot.Failures.Count > 0)?.Failures ?? [] };
        var next = (state with { Phase = EnginePhase.Idle, Pending = null }).With(failed).With(new HistoryEntry(time.GetUtcNow(), "rolledBack", pending.Version, facts.Version, failed.Reason));
        return new(next, BootOutcome.RolledBack, pending);
    }

    private static string Reason(PendingUpdate pending, bool tried, SlotStatus? slot)
    {
        if (pending.GivenUp is { } why) return why;
        if (pending.Boots.LastOrDefault(boot => boot.Failures.Count > 0) is { } failing) return $"it was not healthy: {string.Join("; ", failing.Failures)}";
        var tries = Math.Max(pending.Boots.Count, slot?.TriesDone ?? 0);
        if (pending.Boots.Count > 0) return $"it came up {Times(pending.Boots.Count)} and went down before there was a verdict (a power cut, a crash or a hang)";
        if (tried) return $"it was started {Times(tries)} and never came as far as the supervisor (a kernel panic, a hang, or a damaged slot)";
        return slot?.Version == pending.Version ? "the boot loader did not start it" : "it is not in its slot any more";
    }

    private static string Times(int count) => count switch { 0 or 1 => "once", 2 => "twice", _ => $"{count} times" };
}
