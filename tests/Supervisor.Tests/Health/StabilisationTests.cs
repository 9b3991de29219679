using Appliance.Supervisor.Health;

namespace Supervisor.Tests.Health;

public sealed class StabilisationTests
{
    private static readonly TimeSpan HalfAMinute = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task EveryGateMustHold_BeforeTheVerdict()
    {
        using var scene = await MonitorScene.StartAsync([new SetProbe("a")], HalfAMinute);
        Assert.Equal((HealthState.Starting, "every check passes; that has to last for 30 s more"), (scene.Report.State, string.Join("; ", scene.Report.Reasons)));

        await scene.PassAsync(seconds: 21);
        Assert.Equal(["every check passes", "that has to last for 10 s more"], scene.Report.Reasons);
        await scene.PassAsync(seconds: 8);
        Assert.Equal(HealthState.Starting, scene.Report.State);
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
        Assert.Equal(["every check passes"], scene.Report.Reasons);
    }

    [Fact]
    public async Task StabilisationStartsOver_WhenAGateBreaks()
    {
        var probe = new SetProbe("a");
        using var scene = await MonitorScene.StartAsync([probe], HalfAMinute);
        await scene.PassAsync(seconds: 25);

        probe.Result = ProbeResult.Fail("gone");
        await scene.PassAsync(seconds: 1);
        Assert.Equal(["a: gone"], scene.Report.Reasons);
        probe.Result = ProbeResult.Pass("back");
        await scene.PassAsync(seconds: 30);
        Assert.Equal(HealthState.Starting, scene.Report.State);
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
    }

    [Fact]
    public async Task AGateThatBreaksAgainAndAgain_IsUnhealthyWhenTheTimeIsOver()
    {
        var probe = new SetProbe("a");
        using var scene = await MonitorScene.StartAsync([probe], HalfAMinute, TimeSpan.FromMinutes(2));
        for (var round = 0; round < 6; round++)
        {
            Assert.Equal(HealthState.Starting, scene.Report.State);
            await scene.PassAsync(seconds: 20);
            probe.Result = ProbeResult.Fail("gone");
            await scene.PassAsync(seconds: 1);
            probe.Result = ProbeResult.Pass("back");
        }

        Assert.Equal(HealthState.Unhealthy, scene.Report.State);
    }

    [Fact]
    public async Task AnUnhealthyMachine_MustHold_BeforeItIsHealthyAgain()
    {
        var probe = new SetProbe("a");
        using var scene = await MonitorScene.StartAsync([probe], HalfAMinute);
        await scene.PassAsync(seconds: 30);
        probe.Result = ProbeResult.Fail("gone");
        await scene.PassAsync(seconds: 1);
        Assert.Equal(HealthState.Unhealthy, scene.Report.State);

        probe.Result = ProbeResult.Pass("back");
        await scene.PassAsync(seconds: 30);
        Assert.Equal(HealthState.Unhealthy, scene.Report.State);
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
    }

    [Fact]
    public async Task AHealthyMachine_MayStartThings_ButNotForEver()
    {
        var probe = new SetProbe("systemd");
        using var scene = await MonitorScene.StartAsync([probe], timeout: TimeSpan.FromMinutes(1));
        Assert.Equal(HealthState.Healthy, scene.Report.State);

        probe.Result = ProbeResult.Wait("still starting: daily.service");
        await scene.PassAsync(seconds: 60);
        Assert.Equal((HealthState.Healthy, CheckState.Waiting), (scene.Report.State, scene.Check("systemd").State));
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Unhealthy, scene.Report.State);
    }

    [Fact]
    public async Task Successes_AreCountedInARow()
    {
        var probe = new SetProbe("a") { Successes = 3 };
        using var scene = await MonitorScene.StartAsync([probe]);
        await scene.PassAsync(seconds: 1);
        Assert.Equal((CheckState.Waiting, "fine (2 of 3 times)"), (scene.Check("a").State, scene.Check("a").Message));

        probe.Result = ProbeResult.Fail("not yet");
        await scene.PassAsync(seconds: 1);
        probe.Result = ProbeResult.Pass("fine");
        await scene.PassAsync(seconds: 2);
        Assert.Equal(HealthState.Starting, scene.Report.State);
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
    }

    [Fact]
    public async Task Failures_AreCountedInARow_OnceItPassed()
    {
        var probe = new SetProbe("a") { Failures = 3 };
        using var scene = await MonitorScene.StartAsync([probe]);

        probe.Result = ProbeResult.Fail("503");
        await scene.PassAsync(seconds: 2);
        Assert.Equal((HealthState.Healthy, "503 (2 of 3 times)"), (scene.Report.State, scene.Check("a").Message));
        probe.Result = ProbeResult.Pass("fine");
        await scene.PassAsync(seconds: 1);
        probe.Result = ProbeResult.Fail("503");
        await scene.PassAsync(seconds: 2);
        Assert.Equal(HealthState.Healthy, scene.Report.State);
        await scene.PassAsync(seconds: 1);

        Assert.Equal((HealthState.Unhealthy, CheckState.Fails), (scene.Report.State, scene.Check("a").State));
    }

    [Fact]
    public async Task AFailureBeforeTheFirstPass_CountsAtOnce()
    {
        using var scene = await MonitorScene.StartAsync([new SetProbe("a") { Failures = 3, Result = ProbeResult.Fail("503") }]);

        Assert.Equal((CheckState.Fails, "503"), (scene.Check("a").State, scene.Check("a").Message));
    }

    [Fact]
    public async Task TheHistory_HoldsTheLatestChangesOfState_NotEveryAttempt()
    {
        var probe = new SetProbe("a");
        using var scene = await MonitorScene.StartAsync([probe]);
        await scene.PassAsync(seconds: 5);
        Assert.Equal([CheckState.Passes], scene.Check("a").History.Select(change => change.State));
        Assert.Equal((DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddSeconds(5)), (scene.Check("a").Since, scene.Check("a").Tried!.Value));

        for (var i = 0; i < 30; i++)
        {
            probe.Result = i % 2 == 0 ? ProbeResult.Fail($"gone {i}") : ProbeResult.Pass($"back {i}");
            await scene.PassAsync(seconds: 1);
        }

        var history = scene.Check("a").History;
        Assert.Equal(20, history.Count);
        Assert.Equal(new CheckChange(DateTimeOffset.UnixEpoch.AddSeconds(35), CheckState.Passes, "back 29"), history[^1]);
        Assert.Equal(history[^1].At, scene.Check("a").Since);
    }

    [Fact]
    public async Task AChangedUnit_IsLookedAtAtOnce()
    {
        var (mine, other) = (new SetProbe("mine") { Unit = unit => unit == "web.service" }, new SetProbe("other"));
        using var scene = await MonitorScene.StartAsync([mine, other]);
        mine.Result = ProbeResult.Fail("web.service is failed");

        scene.Monitor.UnitChanged("ssh.service");
        scene.Monitor.UnitChanged("web.service");

        await Eventually.IsTrueAsync(() => scene.Check("mine").State == CheckState.Fails, "the change");
        Assert.Equal((2, 1), (mine.Attempts, other.Attempts));
    }

    [Fact]
    public async Task TheVerdictIsRecorded_BeforeAnybodySeesIt()
    {
        HealthMonitor? monitor = null;
        var recorded = new List<(HealthState Recorded, HealthState Seen)>();
        var probe = new SetProbe("a");
        using var scene = await MonitorScene.StartAsync([probe], beforePublish: report => recorded.Add((report.State, monitor?.Report.State ?? HealthState.Starting)));
        monitor = scene.Monitor;
        probe.Result = ProbeResult.Fail("gone");
        await scene.PassAsync(seconds: 1);

        Assert.Equal([(HealthState.Healthy, HealthState.Starting), (HealthState.Unhealthy, HealthState.Healthy)], recorded);
    }

    [Fact]
    public async Task ACheckThatOnlyWarns_IsNotCalledPassing()
    {
        using var scene = await MonitorScene.StartAsync([new SetProbe("a"), new SetProbe("b", gate: false) { Result = ProbeResult.Fail("gone") }]);

        await Eventually.IsTrueAsync(() => scene.Report.State == HealthState.Healthy, "the verdict");
        Assert.Equal(["every check that counts passes"], scene.Report.Reasons);
    }

    [Fact]
    public async Task ARecordThatCannotBeWritten_DoesNotKeepTheVerdictBack()
    {
        using var scene = await MonitorScene.StartAsync([new SetProbe("a")], beforePublish: _ => throw new IOException("no space left"));

        await Eventually.IsTrueAsync(() => scene.Report.State == HealthState.Healthy, "the verdict");
    }
}
