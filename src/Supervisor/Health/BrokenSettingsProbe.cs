namespace Appliance.Supervisor.Health;

/// <summary>Stands for settings that cannot be read: nobody knows what should be checked, so the machine is not healthy.</summary>
internal sealed class BrokenSettingsProbe(string problem) : IHealthProbe
{
    public string Name => "settings";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromHours(1);
    public TimeSpan Timeout => TimeSpan.FromSeconds(1);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken) => Task.FromResult(ProbeResult.Fail(problem));
}
