using Appliance.Core.Health;
using Serilog;
using Serilog.Events;

namespace Appliance.Supervisor.Health;

/// <summary>
/// Tries every check at its own pace and gives the verdict. It goes on after the verdict: the gate of the boot asks once,
/// the page and D-Bus show the present.
/// </summary>
/// <param name="settings">Limits of the verdict.</param>
/// <param name="probes">The checks.</param>
/// <param name="time">The clock.</param>
/// <param name="baseline">The machine before the update, while a new version is on trial.</param>
/// <param name="beforePublish">Called with a new verdict before anybody can see it; the next one waits until it returns.</param>
internal sealed class HealthMonitor(HealthSettings settings, IReadOnlyList<IHealthProbe> probes, TimeProvider time, HealthBaseline? baseline = null, Action<HealthReport>? beforePublish = null) : BackgroundService
{
    /// <summary>A check that still fails this long after everything has started will not mend itself: the verdict need not wait for the time-out.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Longest pauses before the first verdict, whatever the interval: after a failure, an outage, a pass.</summary>
    private static readonly TimeSpan SoonAfterFailure = TimeSpan.FromSeconds(2), SoonAfterOutage = TimeSpan.FromSeconds(10), SoonAfterPass = TimeSpan.FromSeconds(10);

    /// <summary>The time that is left is told in steps, so that not every second is news.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly IReadOnlyList<WatchedCheck> _checks = probes.Select(probe => new WatchedCheck(probe, time)).ToList();
    private readonly long _started = time.GetTimestamp();
    private HealthBaseline? _baseline = baseline;
    private long? _settled, _steady;
    private volatile HealthReport? _report;

    /// <summary>Raised with every new report, one at a time.</summary>
    public event Action<HealthReport>? Changed;

    /// <summary>The latest verdict. Reading it never waits, not even for <c>beforePublish</c>.</summary>
    public HealthReport Report => _report ?? new HealthReport(HealthState.Starting, ["the first checks are running"], _checks.Select(check => check.Status).ToList());

    /// <summary>True while the machine is compared with itself before the update.</summary>
    public bool InTrial => _baseline is not null;

    /// <summary>When a check last ended, for the watchdog: a monitor that stands still shows here.</summary>
    public long LastActivity { get; private set; } = time.GetTimestamp();

    /// <summary>Tries a check again now.</summary>
    public void Kick(string probe) => _checks.First(check => check.Probe.Name == probe).Kick();

    /// <summary>A systemd unit changed: the checks that look at it are tried again now.</summary>
    public void UnitChanged(string unit)
    {
        foreach (var check in _checks.Where(check => check.Probe.Follows(unit))) check.Kick();
    }

    /// <summary>The machine as it is now, to compare the next version with. What has not been tried yet is not in it.</summary>
    /// <param name="version">The version that runs.</param>
    public HealthBaseline TakeBaseline(string version)
    {
        lock (_lock)
        {
            return new HealthBaseline
            {
                Version = version,
                TakenAt = time.GetUtcNow(),
                Checks = _checks.Where(check => check.Result is not null).ToDictionary(check => check.Probe.Name, check => new BaselineCheck
                {
                    Kind = check.Probe.Kind,
                    Outcome = check.Result!.Outcome,
                    Message = check.Result.Message,
                    Failing = check.Result.Failing,
                    Working = check.Result.Working,
                    Unfinished = check.Result.Unfinished,
                }),
            };
        }
    }

    /// <summary>The version is kept: from now on every check counts as it is declared.</summary>
    public void EndTrial() => Update(() => _baseline = null);

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (var check in _checks) check.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll([WatchTimeAsync(stoppingToken), .. _checks.Select(check => WatchAsync(check, stoppingToken))]);

    private async Task WatchAsync(WatchedCheck check, CancellationToken stoppingToken)
    {
        await using var alarm = time.CreateTimer(_ => check.Kick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        while (!stoppingToken.IsCancellationRequested)
        {
            var result = await check.TryAsync(stoppingToken);
            Update(() => check.Take(result));
            alarm.Change(Pause(check), Timeout.InfiniteTimeSpan);
            await check.KickedAsync(stoppingToken);
        }
    }

    /// <summary>While the machine starts, everything is tried more often than its interval says.</summary>
    private TimeSpan Pause(WatchedCheck check)
    {
        var interval = check.Probe.Interval;
        if (Report.State != HealthState.Starting) return interval;
        var soon = check.Result switch { { Passed: true } => SoonAfterPass, { Outcome: ProbeOutcome.Outage } => SoonAfterOutage, _ => SoonAfterFailure };
        return soon < interval && (check.Status.Gates || !check.Status.Passed!.Value) ? soon : interval;
    }

    /// <summary>Time alone can decide: when it is over, starting becomes unhealthy.</summary>
    private async Task WatchTimeAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) Update(() => { });
    }

    private void Update(Action change)
    {
        lock (_lock)
        {
            change();
            LastActivity = time.GetTimestamp();
            var (last, next) = (Report, Judge());
            if (next.State != last.State) Prepare(next);
            _report = next;
            if (next.State != last.State || !next.Reasons.SequenceEqual(last.Reasons) || !next.Checks.Zip(last.Checks).All(pair => pair.First.SaysTheSame(pair.Second))) Changed?.Invoke(next);
        }
    }

    private void Prepare(HealthReport next)
    {
        Log.Write(next.State == HealthState.Unhealthy ? LogEventLevel.Error : LogEventLevel.Information, "Health is {State}: {Reasons}", next.State, string.Join("; ", next.Reasons));
        try
        {
            beforePublish?.Invoke(next);
        }
        catch (Exception e)
        {
            // A verdict without its record is still better than a machine that never gets one.
            Log.Error("The verdict could not be recorded: {Reason}", e.Message);
        }
    }

    private HealthReport Judge()
    {
        var state = Report.State;
        var checks = _checks.Select(check => check.Judge(_baseline)).ToList();
        var open = _checks.Where(check => IsOpen(check, state)).Select(check => check.Status).ToList();
        if (open.Count == 0) return JudgePassing(state, checks);

        _steady = null;
        var reasons = open.Select(check => $"{check.Name}: {check.Message}").ToList();
        if (state != HealthState.Starting) return new HealthReport(HealthState.Unhealthy, reasons, checks);
        // Once every check has been tried and nothing is still starting, failures have a minute to mend.
        _settled = open.Any(check => check.State == CheckState.Waiting) ? null : _settled ?? time.GetTimestamp();
        var over = time.GetElapsedTime(_started) >= settings.Timeout || (_settled is { } since && time.GetElapsedTime(since) >= Patience);
        return new HealthReport(over ? HealthState.Unhealthy : HealthState.Starting, reasons, checks);
    }

    /// <summary>
    /// Whether a check keeps the machine from being healthy. A healthy machine starts and restarts things all the time: there
    /// only what does not come up in all the time there is counts.
    /// </summary>
    private bool IsOpen(WatchedCheck check, HealthState state) =>
        check.Status is { Gates: true, State: CheckState.Fails }
        || (check.Status is { Gates: true, State: CheckState.Waiting } && (state != HealthState.Healthy || time.GetElapsedTime(check.Changed) >= settings.Timeout));

    /// <summary>Nothing that counts fails: that has to last before it makes a verdict.</summary>
    private HealthReport JudgePassing(HealthState state, List<CheckStatus> checks)
    {
        _settled = null;
        _steady ??= time.GetTimestamp();
        var excused = checks.Where(check => check.State == CheckState.Excused).Select(check => $"{check.Name}: {check.Message}").ToList();
        IReadOnlyList<string> passing = [checks.All(check => check.State == CheckState.Passes) ? "every check passes" : "every check that counts passes", .. excused];
        var left = settings.Stabilisation - time.GetElapsedTime(_steady.Value);
        if (state == HealthState.Healthy || left <= TimeSpan.Zero) return new HealthReport(HealthState.Healthy, passing, checks);
        return new HealthReport(state, [.. passing, $"that has to last for {Math.Ceiling(left / Step) * Step.TotalSeconds:0} s more"], checks);
    }
}
