using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Updates;

/// <summary>What the engine must know of the boot it runs in.</summary>
internal interface IDeviceBoot
{
    /// <summary>The version that runs.</summary>
    string Version { get; }

    /// <summary>This boot's id.</summary>
    string BootId { get; }

    /// <summary>Where this boot stands with the boot loader.</summary>
    BootState BootState { get; }

    /// <summary>The boot loader was told to keep this boot's entry.</summary>
    void MarkBlessed();

    /// <summary>The worker's record of a trial; null when there is none or it cannot be read.</summary>
    TrialRecord? ReadTrial();

    /// <summary>The end of the journal of the last boot of a version that was not kept; empty when there is none.</summary>
    Task<IReadOnlyList<string>> ReadJournalTailAsync(PendingUpdate pending, CancellationToken cancellationToken);
}
