namespace Appliance.Supervisor.Health.Probes;

/// <summary>What a workload engine tells the health gate.</summary>
internal interface IWorkloadHealth
{
    /// <summary>The node takes workloads.</summary>
    Task<ProbeResult> TryNodeAsync(CancellationToken cancellationToken);

    /// <summary>The workloads run. The result names those that work, fail and rest, for the comparison with before an update.</summary>
    Task<ProbeResult> TryWorkloadsAsync(CancellationToken cancellationToken);

    /// <summary>True when a systemd unit's change may change the answers.</summary>
    bool Follows(string unit);
}
