using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Health;

/// <summary>systemd has started everything it was asked to, and nothing failed.</summary>
internal sealed class SystemdProbe(Systemd1 systemd) : IHealthProbe
{
    /// <summary>Units whose jobs wait for the verdict themselves, so that the verdict must not wait for them.</summary>
    private static readonly HashSet<string> WaitingForVerdict = ["appliance-health.service", "boot-complete.target", "systemd-bless-boot.service", "appliance-supervisor.service"];

    public string Name => "systemd";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromSeconds(10);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var failed = await systemd.ListFailedUnitsAsync();
        if (failed.Count > 0) return ProbeResult.Fail($"failed: {string.Join(", ", failed.Select(unit => unit.Name))}");
        var waiting = (await systemd.ListJobUnitsAsync()).Where(unit => !WaitingForVerdict.Contains(unit)).ToList();
        return waiting.Count == 0 ? ProbeResult.Pass("all units started, none failed") : ProbeResult.Fail($"still starting: {string.Join(", ", waiting.Take(5))}{(waiting.Count > 5 ? $" and {waiting.Count - 5} more" : "")}");
    }
}
