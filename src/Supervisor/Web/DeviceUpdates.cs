using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Web;

/// <summary>All about updates at one moment, as <c>/api/v1/updates</c> shows it.</summary>
internal sealed record DeviceUpdates
{
    /// <summary><c>idle</c>, <c>checking</c>, <c>downloading</c>, <c>installed</c>, <c>probation</c> or <c>rebooting</c>.</summary>
    public required string State { get; init; }

    /// <summary>What is installed or on trial, or null.</summary>
    public required PendingUpdate? Pending { get; init; }

    /// <summary>Both slots; empty while they are not known.</summary>
    public required IReadOnlyList<SlotStatus> Slots { get; init; }

    /// <summary>The job at hand, or the last one since the supervisor started.</summary>
    public required JobView? Job { get; init; }

    /// <summary>The latest look for a version, or null.</summary>
    public required LastCheck? LastCheck { get; init; }

    /// <summary>When the repository is looked into next; null when nobody does.</summary>
    public required DateTimeOffset? NextCheck { get; init; }

    /// <summary>When an installed version may be started next.</summary>
    public required DateTimeOffset NextWindow { get; init; }

    /// <summary>Versions that were not kept, the latest last.</summary>
    public required IReadOnlyList<FailedVersion> Failed { get; init; }

    /// <summary>How updates ended, the latest last.</summary>
    public required IReadOnlyList<HistoryEntry> History { get; init; }

    /// <summary>The present.</summary>
    public static DeviceUpdates Of(UpdateEngine engine, UpdateSchedule schedule) => new()
    {
        State = UpdateInterface.StateWord(engine),
        Pending = engine.State.Pending,
        Slots = engine.Slots,
        Job = engine.Job?.View,
        LastCheck = engine.State.LastCheck,
        NextCheck = schedule.NextLook,
        NextWindow = schedule.NextWindow,
        Failed = engine.State.Failed,
        History = engine.State.History,
    };
}
