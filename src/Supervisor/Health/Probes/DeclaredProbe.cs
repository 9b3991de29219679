using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>What all checks of declarations have in common.</summary>
internal abstract class DeclaredProbe(HealthCheck check) : IHealthProbe
{
    public string Name => check.Name;
    public string Kind => check.Kind.Word();
    public bool Gate => check.Gate;
    public TimeSpan Interval => check.Interval;
    public TimeSpan Timeout => check.Timeout;
    public int Successes => check.Successes;
    public int Failures => check.Failures;
    public virtual bool IsAboutThisMachine => true;
    public virtual bool SilenceIsOutage => false;
    public virtual bool Follows(string unit) => false;
    public abstract Task<ProbeResult> TryAsync(CancellationToken cancellationToken);
}
