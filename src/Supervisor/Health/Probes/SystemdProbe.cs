using System.Text.RegularExpressions;
using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>systemd has started everything it was asked to, and nothing failed.</summary>
internal sealed partial class SystemdProbe(Systemd1 systemd) : IHealthProbe
{
    /// <summary>Units whose jobs wait for the verdict themselves, so that the verdict must not wait for them.</summary>
    private static readonly HashSet<string> WaitingForVerdict = ["appliance-health.service", "boot-complete.target", "systemd-bless-boot.service", "appliance-supervisor.service"];

    /// <summary>Our own work, much of it for the verdict: other checks have a worker look, over and over.</summary>
    private const string Worker = "appliance-worker@";

    public string Name => "systemd";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromSeconds(10);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public bool Follows(string unit) => true;

    public async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var failed = (await systemd.ListFailedUnitsAsync()).Select(unit => unit.Name).Where(unit => !HealthRun().IsMatch(unit)).ToList();
        var waiting = (await systemd.ListJobUnitsAsync()).Where(unit => !WaitingForVerdict.Contains(unit) && !unit.StartsWith(Worker, StringComparison.Ordinal) && !HealthRun().IsMatch(unit)).ToList();
        var result = failed.Count > 0 ? ProbeResult.Fail($"failed: {string.Join(", ", failed)}")
            : waiting.Count > 0 ? ProbeResult.Wait($"still starting: {string.Join(", ", waiting.Take(5))}{(waiting.Count > 5 ? $" and {waiting.Count - 5} more" : "")}")
            : ProbeResult.Pass("all units started, none failed");
        return result with { Failing = failed, Unfinished = waiting };
    }

    /// <summary>
    /// One run of a container's health check, a transient unit that podman names by the container's id. What it comes to is
    /// podman's to judge, by retries and a start period; and it fails when its container goes.
    /// </summary>
    [GeneratedRegex(@"^[0-9a-f]{64}(-[0-9a-f]+)?\.(service|timer)$")]
    private static partial Regex HealthRun();
}
