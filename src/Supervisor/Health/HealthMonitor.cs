using Appliance.Core.Health;
using Serilog;

namespace Appliance.Supervisor.Health;

/// <summary>
/// Tries every check at its own pace and gives the verdict. It goes on after the verdict: the gate of the boot asks once,
/// the page and D-Bus show the present.
/// </summary>
internal sealed class HealthMonitor(HealthSettings settings, IReadOnlyList<IHealthProbe> probes, TimeProvider time) : BackgroundService
{
    /// <summary>A check that still fails this long after everything has started will not mend itself: the verdict need not wait for the time-out.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, ProbeResult> _results = [];
    private readonly Dictionary<string, SemaphoreSlim> _kicks = probes.ToDictionary(probe => probe.Name, _ => new SemaphoreSlim(0, 1));
    private readonly long _started = time.GetTimestamp();
    private long? _settled;
    private HealthReport _report = new(HealthState.Starting, ["the first checks are running"], probes.Select(probe => new CheckStatus(probe.Name, probe.Gate, null, "not tried yet")).ToList());

    /// <summary>Raised with every new report, one at a time.</summary>
    public event Action<HealthReport>? Changed;

    /// <summary>The latest verdict.</summary>
    public HealthReport Report
    {
        get { lock (_lock) return _report; }
    }

    /// <summary>When a check last ended, for the watchdog: a monitor that stands still shows here.</summary>
    public long LastActivity { get; private set; } = time.GetTimestamp();

    /// <summary>Tries a check again now.</summary>
    public void Kick(string probe)
    {
        var kick = _kicks[probe];
        lock (kick)
        {
            if (kick.CurrentCount == 0) kick.Release();
        }
    }

    /// <summary>A systemd unit changed: the checks that look at it are tried again now.</summary>
    public void UnitChanged(string unit)
    {
        foreach (var probe in probes.Where(probe => probe.Follows(unit))) Kick(probe.Name);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll([WatchTimeAsync(stoppingToken), .. probes.Select(probe => WatchAsync(probe, stoppingToken))]);

    private async Task WatchAsync(IHealthProbe probe, CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var result = await TryAsync(probe, stoppingToken);
            Update(() => _results[probe.Name] = result);
            // While the machine starts, failing checks are tried more often than their interval says.
            var pause = !result.Passed && Report.State == HealthState.Starting ? TimeSpan.FromSeconds(Math.Min(2, probe.Interval.TotalSeconds)) : probe.Interval;
            await _kicks[probe.Name].WaitAsync(pause, stoppingToken);
        }
    }

    /// <summary>Time alone can decide: when it is over, starting becomes unhealthy.</summary>
    private async Task WatchTimeAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) Update(() => { });
    }

    private static async Task<ProbeResult> TryAsync(IHealthProbe probe, CancellationToken stoppingToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        limit.CancelAfter(probe.Timeout);
        try
        {
            return await probe.TryAsync(limit.Token).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            return ProbeResult.Fail($"no answer within {probe.Timeout.TotalSeconds:0} s");
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            return ProbeResult.Fail(e.Message);
        }
    }

    private void Update(Action change)
    {
        lock (_lock)
        {
            change();
            LastActivity = time.GetTimestamp();
            var next = Judge();
            if (next.State == _report.State && next.Reasons.SequenceEqual(_report.Reasons) && next.Checks.SequenceEqual(_report.Checks)) return;
            if (next.State != _report.State) Log.Write(next.State == HealthState.Unhealthy ? Serilog.Events.LogEventLevel.Error : Serilog.Events.LogEventLevel.Information, "Health is {State}: {Reasons}", next.State, string.Join("; ", next.Reasons));
            _report = next;
            Changed?.Invoke(next);
        }
    }

    private HealthReport Judge()
    {
        var checks = probes.Select(probe => _results.TryGetValue(probe.Name, out var result)
            ? new CheckStatus(probe.Name, probe.Gate, result.Passed, result.Message)
            : new CheckStatus(probe.Name, probe.Gate, null, "not tried yet")).ToList();
        var open = checks.Where(check => check.Gate && check.Passed != true).Select(check => $"{check.Name}: {check.Message}").ToList();
        if (open.Count == 0) return new HealthReport(HealthState.Healthy, ["every check passes"], checks);
        if (_report.State != HealthState.Starting) return new HealthReport(HealthState.Unhealthy, open, checks);

        // Once every check has been tried and nothing is "still starting", failures have a minute to mend.
        var starting = probes.Any(probe => probe.Gate && (!_results.TryGetValue(probe.Name, out var result) || result.Outcome == ProbeOutcome.Waiting));
        _settled = starting ? null : _settled ?? time.GetTimestamp();
        var over = time.GetElapsedTime(_started) >= settings.Timeout || (_settled is { } since && time.GetElapsedTime(since) >= Patience);
        return new HealthReport(over ? HealthState.Unhealthy : HealthState.Starting, open, checks);
    }

    public override void Dispose()
    {
        foreach (var kick in _kicks.Values) kick.Dispose();
        base.Dispose();
    }
}
