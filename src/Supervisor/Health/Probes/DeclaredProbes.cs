using Appliance.Core.Health;
using Appliance.Core.Updates;
using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>Makes the probes of declared checks.</summary>
/// <param name="root">Root of the files that are read.</param>
/// <param name="systemd">The manager that unit checks ask.</param>
/// <param name="workloads">The workload engine's answers.</param>
/// <param name="http">The client of http checks, without a limit of its own.</param>
/// <param name="updates">The update repository and the way to it.</param>
internal sealed class DeclaredProbes(string root, Systemd1 systemd, IWorkloadHealth workloads, HttpClient http, UpdateSettings updates)
{
    /// <summary>The probe of a check.</summary>
    public IHealthProbe Create(HealthCheck check) => check.Kind switch
    {
        HealthCheckKind.Unit => new UnitProbe(check, systemd),
        HealthCheckKind.Http => new HttpProbe(check, http),
        HealthCheckKind.Tcp => new TcpProbe(check),
        HealthCheckKind.Command => new CommandProbe(check),
        HealthCheckKind.Disk => new DiskProbe(check),
        HealthCheckKind.TimeSync => new TimeSyncProbe(check, root),
        HealthCheckKind.UpdateServer => new UpdateServerProbe(check, Address(updates.Url), Address(updates.Proxy), root),
        HealthCheckKind.Node or HealthCheckKind.Workloads => new WorkloadProbe(check, workloads),
        _ => throw new InvalidOperationException($"no probe for {check.Kind}"),
    };

    private static Uri? Address(string? url) => url is null ? null : new Uri(url);
}
