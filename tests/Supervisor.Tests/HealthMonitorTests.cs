using Appliance.Core.Health;
using Appliance.Supervisor.Health;
using Supervisor.Tests.Health;

namespace Supervisor.Tests;

public sealed class HealthMonitorTests
{
    private static readonly TimeSpan Fast = TimeSpan.FromMilliseconds(20);

    private static async Task<HealthMonitor> StartAsync(TimeSpan timeout, params IHealthProbe[] probes)
    {
        var monitor = new HealthMonitor(new HealthSettings { Timeout = timeout, Stabilisation = TimeSpan.Zero }, probes, TimeProvider.System);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        return monitor;
    }

    private static Task BecomesAsync(HealthMonitor monitor, HealthState state) => Eventually.IsTrueAsync(() => monitor.Report.State == state, $"health {state}");

    [Fact]
    public async Task AllGatesPass_IsHealthy()
    {
        using var monitor = await StartAsync(TimeSpan.FromMinutes(1), new SetProbe("a") { Interval = Fast }, new SetProbe("b") { Interval = Fast });

        await BecomesAsync(monitor, HealthState.Healthy);
    }

    [Fact]
    public async Task AGateThatPassesLater_IsWaitedFor()
    {
        var slow = new SetProbe("slow") { Interval = Fast, Result = ProbeResult.Wait("still starting: x.service") };
        using var monitor = await StartAsync(TimeSpan.FromMinutes(1), slow);
        await Eventually.IsTrueAsync(() => monitor.Report.Reasons.Contains("slow: still starting: x.service"), "the reason");
        Assert.Equal(HealthState.Starting, monitor.Report.State);

        slow.Result = ProbeResult.Pass("started");

        await BecomesAsync(monitor, HealthState.Healthy);
    }

    [Fact]
    public async Task AGateThatNeverPasses_IsUnhealthyWhenTheTimeIsOver()
    {
        using var monitor = await StartAsync(TimeSpan.FromSeconds(1), new SetProbe("bad") { Interval = Fast, Result = ProbeResult.Fail("broken") });

        await BecomesAsync(monitor, HealthState.Unhealthy);
        Assert.Equal(["bad: broken"], monitor.Report.Reasons);
    }

    [Fact]
    public async Task AWarning_DoesNotKeepFromHealthy()
    {
        using var monitor = await StartAsync(TimeSpan.FromMinutes(1), new SetProbe("a") { Interval = Fast }, new SetProbe("warn", gate: false) { Interval = Fast, Result = ProbeResult.Fail("meh") });

        await BecomesAsync(monitor, HealthState.Healthy);
        await Eventually.IsTrueAsync(() => monitor.Report.Checks.Any(check => check is { Name: "warn", Passed: false }), "the warning's result");
        Assert.Equal(HealthState.Healthy, monitor.Report.State);
    }

    [Fact]
    public async Task AHealthyMachineThatBreaks_IsUnhealthy_AndRecovers()
    {
        var probe = new SetProbe("a") { Interval = Fast };
        using var monitor = await StartAsync(TimeSpan.FromMinutes(1), probe);
        await BecomesAsync(monitor, HealthState.Healthy);

        probe.Result = ProbeResult.Fail("gone");
        await BecomesAsync(monitor, HealthState.Unhealthy);
        probe.Result = ProbeResult.Pass("back");

        await BecomesAsync(monitor, HealthState.Healthy);
    }

    [Fact]
    public async Task AProbeThatHangs_FailsAtItsTimeout()
    {
        using var monitor = await StartAsync(TimeSpan.FromMinutes(1), new SetProbe("hangs") { Behaviour = _ => new TaskCompletionSource<ProbeResult>().Task, Timeout = TimeSpan.FromMilliseconds(100) });

        await Eventually.IsTrueAsync(() => monitor.Report.Reasons.Any(reason => reason.Contains("no answer within", StringComparison.Ordinal)), "the time-out");
    }

    [Fact]
    public async Task AProbeThatThrows_FailsWithItsMessage()
    {
        using var monitor = await StartAsync(TimeSpan.FromMinutes(1), new SetProbe("throws") { Interval = Fast, Behaviour = _ => throw new IOException("disk is gone") });

        await Eventually.IsTrueAsync(() => monitor.Report.Reasons.Contains("throws: disk is gone"), "the message");
    }
}
