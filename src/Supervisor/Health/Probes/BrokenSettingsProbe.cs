using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>Stands for declarations that cannot be read: nobody knows what should be checked, so the machine is not healthy.</summary>
internal sealed class BrokenSettingsProbe(IReadOnlyList<HealthProblem> problems) : IHealthProbe
{
    public string Name => "settings";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromHours(1);
    public TimeSpan Timeout => TimeSpan.FromSeconds(1);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken) =>
        Task.FromResult(ProbeResult.Fail(string.Join("; ", problems.Select(problem => problem.Message))) with { Failing = problems.Select(problem => problem.File).ToList() });
}
