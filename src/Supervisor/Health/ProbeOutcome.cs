namespace Appliance.Supervisor.Health;

/// <summary>What one attempt of a check found.</summary>
internal enum ProbeOutcome
{
    /// <summary>All is well.</summary>
    Passed,

    /// <summary>Something is wrong with this machine.</summary>
    Failed,

    /// <summary>Not yet: something is still starting.</summary>
    Waiting,

    /// <summary>Something outside is down (network, server): worth telling, no fault of this machine.</summary>
    Outage,
}
