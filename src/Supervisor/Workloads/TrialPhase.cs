namespace Appliance.Supervisor.Workloads;

/// <summary>What is under way with a release, as far as it must be known after a power cut.</summary>
internal enum TrialPhase
{
    /// <summary>It is applied and has to prove itself.</summary>
    Applying,

    /// <summary>It is kept; what only the one before had is deleted.</summary>
    Pruning,

    /// <summary>It is not kept; the one before is brought back.</summary>
    Reverting,

    /// <summary>The whole workload is taken away.</summary>
    Removing,
}
