using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>The workload engine says whether its node is ready, or its workloads.</summary>
internal sealed class WorkloadProbe(HealthCheck check, IWorkloadHealth workloads) : DeclaredProbe(check)
{
    private readonly bool _node = check.Node;

    public override bool Follows(string unit) => workloads.Follows(unit);

    public override Task<ProbeResult> TryAsync(CancellationToken cancellationToken) => _node ? workloads.TryNodeAsync(cancellationToken) : workloads.TryWorkloadsAsync(cancellationToken);
}
