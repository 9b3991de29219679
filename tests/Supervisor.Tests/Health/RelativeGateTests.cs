using Appliance.Core.Health;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;

namespace Supervisor.Tests.Health;

/// <summary>A new version is compared with the machine before the update.</summary>
public sealed class RelativeGateTests
{
    private const string Before = "failed before the update, too: ";

    private static readonly TimeSpan Dwell = TimeSpan.FromSeconds(30);

    /// <summary>What the machine of before said, by the names of checks.</summary>
    private static async Task<HealthBaseline> BaselineAsync(params IHealthProbe[] probes)
    {
        using var scene = await MonitorScene.StartAsync(probes);
        return scene.Monitor.TakeBaseline("1.0");
    }

    private static SetProbe Check(string name, ProbeResult result, bool gate = true) => new(name, gate) { Result = result };

    [Fact]
    public async Task WhatWasHealthy_MustBeHealthyForTheWholeDwellTime()
    {
        var web = Check("web", ProbeResult.Pass("answers"));
        using var scene = await MonitorScene.StartAsync([web], Dwell, baseline: await BaselineAsync(Check("web", ProbeResult.Pass("answers"))));
        await scene.PassAsync(seconds: 28);
        Assert.Equal(HealthState.Starting, scene.Report.State);
        web.Result = ProbeResult.Fail("503");
        await scene.PassAsync(seconds: 1);
        web.Result = ProbeResult.Pass("answers");
        await scene.PassAsync(seconds: 30);
        Assert.Equal(HealthState.Starting, scene.Report.State);
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
    }

    [Fact]
    public async Task WhatWasHealthyAndOnlyWarned_IsBlamedDuringTheTrial_AndOnlyThen()
    {
        var baseline = await BaselineAsync(Check("web", ProbeResult.Pass("answers"), gate: false));
        using var scene = await MonitorScene.StartAsync([Check("web", ProbeResult.Fail("503"), gate: false)], baseline: baseline);

        await scene.PassAsync(seconds: 61);

        Assert.Equal((HealthState.Unhealthy, "web: 503"), (scene.Report.State, Assert.Single(scene.Report.Reasons)));
        Assert.True(scene.Check("web") is { Gate: false, Gates: true });
        scene.Monitor.EndTrial();
        Assert.Equal((HealthState.Healthy, false), (scene.Report.State, scene.Check("web").Gates));
    }

    [Fact]
    public async Task WhatWasBroken_IsReportedAndNotBlamed()
    {
        var baseline = await BaselineAsync(Check("web", ProbeResult.Fail("503")));
        using var scene = await MonitorScene.StartAsync([Check("web", ProbeResult.Fail("502")), Check("data", ProbeResult.Pass("fine"))], baseline: baseline);

        Assert.Equal((HealthState.Healthy, CheckState.Excused), (scene.Report.State, scene.Check("web").State));
        Assert.Equal(["every check that counts passes", $"web: {Before}502"], scene.Report.Reasons);

        // The version is kept: the check counts as it is declared, and the machine is as unhealthy as it was.
        scene.Monitor.EndTrial();
        Assert.Equal((HealthState.Unhealthy, CheckState.Fails), (scene.Report.State, scene.Check("web").State));
    }

    [Fact]
    public async Task WhatWasBroken_MayMendItself()
    {
        using var scene = await MonitorScene.StartAsync([Check("web", ProbeResult.Pass("answers"))], baseline: await BaselineAsync(Check("web", ProbeResult.Fail("503"))));

        Assert.Equal((HealthState.Healthy, CheckState.Passes), (scene.Report.State, scene.Check("web").State));
    }

    [Fact]
    public async Task OneFailedUnitOfBefore_IsNoCoverForAnother()
    {
        var baseline = await BaselineAsync(Check("systemd", ProbeResult.Fail("failed: old.service") with { Failing = ["old.service"] }));
        var now = Check("systemd", ProbeResult.Fail("failed: old.service") with { Failing = ["old.service"] });
        using var scene = await MonitorScene.StartAsync([now], baseline: baseline);
        await Eventually.IsTrueAsync(() => scene.Report.State == HealthState.Healthy, "the verdict");

        now.Result = ProbeResult.Fail("failed: new.service, old.service") with { Failing = ["new.service", "old.service"] };
        await scene.PassAsync(seconds: 1);

        Assert.Equal((HealthState.Unhealthy, "systemd: failed: new.service, old.service (old.service failed before the update, too)"), (scene.Report.State, Assert.Single(scene.Report.Reasons)));
    }

    [Fact]
    public async Task AFailedUnitOfBefore_DoesNotHideWhatIsStillStarting()
    {
        var baseline = await BaselineAsync(Check("systemd", ProbeResult.Fail("failed: old.service") with { Failing = ["old.service"] }));
        using var scene = await MonitorScene.StartAsync([Check("systemd", ProbeResult.Fail("failed: old.service") with { Failing = ["old.service"], Unfinished = ["slow.service"] })], baseline: baseline);

        Assert.Equal((HealthState.Starting, CheckState.Waiting), (scene.Report.State, scene.Check("systemd").State));
    }

    [Fact]
    public async Task AWorkloadThatRanAndRestsNow_IsBlamed_ThoughNothingFails()
    {
        var baseline = await BaselineAsync(Check("workloads", ProbeResult.Pass("2 of 2") with { Working = ["a.service", "b.service"] }));
        using var scene = await MonitorScene.StartAsync([Check("workloads", ProbeResult.Pass("1 of 2") with { Working = ["a.service"], Resting = ["b.service"] })], baseline: baseline);

        await scene.PassAsync(seconds: 61);

        Assert.Equal((HealthState.Unhealthy, "workloads: worked before the update and does not run now: b.service"), (scene.Report.State, Assert.Single(scene.Report.Reasons)));
    }

    [Theory]
    [InlineData(true, "Unhealthy")]
    [InlineData(false, "Healthy")]
    public async Task ACheckTheNewVersionBrings_CountsAsItIsDeclared(bool gate, string verdict)
    {
        using var scene = await MonitorScene.StartAsync([Check("new", ProbeResult.Fail("no answer"), gate), Check("data", ProbeResult.Pass("fine"))], baseline: await BaselineAsync(Check("data", ProbeResult.Pass("fine"))));

        await scene.PassAsync(seconds: 61);

        Assert.Equal(verdict, scene.Report.State.ToString());
    }

    [Fact]
    public async Task ACheckThatLooksAtSomethingElseUnderTheSameName_IsANewOne()
    {
        var baseline = await BaselineAsync(new SetProbe("web") { Kind = "tcp", Result = ProbeResult.Fail("refused") });
        using var scene = await MonitorScene.StartAsync([Check("web", ProbeResult.Fail("503"))], baseline: baseline);

        Assert.Equal(CheckState.Fails, scene.Check("web").State);
    }

    [Theory]
    [InlineData("Waiting")]
    [InlineData("Outage")]
    public async Task WhatWasNeitherHealthyNorBroken_IsNoExcuse(string before)
    {
        var baseline = await BaselineAsync(Check("web", new ProbeResult(Enum.Parse<ProbeOutcome>(before), "who knows")));
        using var scene = await MonitorScene.StartAsync([Check("web", ProbeResult.Fail("503"))], baseline: baseline);

        Assert.Equal(CheckState.Fails, scene.Check("web").State);
    }

    [Fact]
    public async Task WhatWasInTheQueueBefore_IsNotWaitedFor()
    {
        var waiting = ProbeResult.Wait("still starting: daily.service") with { Unfinished = ["daily.service"] };
        var now = Check("systemd", ProbeResult.Wait("still starting: daily.service, web.service") with { Unfinished = ["daily.service", "web.service"] });
        using var scene = await MonitorScene.StartAsync([now], baseline: await BaselineAsync(Check("systemd", waiting)));
        Assert.Equal(HealthState.Starting, scene.Report.State);

        now.Result = waiting;
        await scene.PassAsync(seconds: 1);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
    }

    [Fact]
    public async Task AWanOutage_NeverTurnsTheVerdict()
    {
        static SetProbe Server(ProbeResult result) => new("server") { Result = result, SilenceIsOutage = true };
        var (baseline, now) = (await BaselineAsync(Server(ProbeResult.Pass("answers"))), Server(ProbeResult.Outage("no route to host")));
        using var scene = await MonitorScene.StartAsync([now, Check("data", ProbeResult.Pass("fine"))], Dwell, baseline: baseline);
        await scene.PassAsync(seconds: 31);
        Assert.Equal(HealthState.Healthy, scene.Report.State);
        Assert.Contains("server: no route to host", scene.Report.Reasons);

        // The same for a committed version, and however long it lasts.
        scene.Monitor.EndTrial();
        await scene.PassAsync(seconds: 600);
        Assert.Equal((HealthState.Healthy, CheckState.Excused), (scene.Report.State, scene.Check("server").State));
    }

    [Fact]
    public async Task AnUpdateServerThatNeverAnswers_IsAnOutage_AtItsTimeout()
    {
        var silent = new SetProbe("server") { SilenceIsOutage = true, Behaviour = token => Task.Delay(Timeout.Infinite, token).ContinueWith(_ => ProbeResult.Pass(""), token, TaskContinuationOptions.None, TaskScheduler.Default) };
        var time = new ManualTime();
        using var monitor = new HealthMonitor(new HealthSettings { Stabilisation = TimeSpan.Zero }, [silent], time, await BaselineAsync(Check("server", ProbeResult.Pass("answers"))));
        await monitor.StartAsync(TestContext.Current.CancellationToken);

        await Eventually.IsTrueAsync(() => { time.Advance(TimeSpan.FromSeconds(1)); return monitor.Report.State == HealthState.Healthy; }, "the verdict");

        Assert.Equal(CheckState.Excused, monitor.Report.Checks[0].State);
    }

    [Fact]
    public async Task WhatHangsOnOthersMachines_IsNotBlamed_ThoughItPassedBefore()
    {
        static SetProbe Clock(ProbeResult result) => new("clock") { Result = result, IsAboutThisMachine = false };
        using var scene = await MonitorScene.StartAsync([Clock(ProbeResult.Fail("the clock has not been set")), Check("data", ProbeResult.Pass("fine"))], baseline: await BaselineAsync(Clock(ProbeResult.Pass("set"))));

        await scene.PassAsync(seconds: 61);

        Assert.Equal((HealthState.Healthy, CheckState.Fails, false), (scene.Report.State, scene.Check("clock").State, scene.Check("clock").Gates));
    }

    [Theory]
    [InlineData("http://127.0.0.1/", false, true)]
    [InlineData("http://localhost:8080/", false, true)]
    [InlineData("https://cloud.example/", false, false)]
    [InlineData("https://cloud.example/", true, true)]
    public void AnotherMachine_IsBlamedOnThisOneOnlyAsADeclaredGate(string url, bool gate, bool counts)
    {
        using var http = new HttpClient();
        Assert.Equal(counts, new HttpProbe(new HealthCheck { Name = "x", Http = url, Gate = gate }, http).IsAboutThisMachine);
        var uri = new Uri(url);
        Assert.Equal(counts, new TcpProbe(new HealthCheck { Name = "x", Tcp = $"{uri.Host}:{uri.Port}", Gate = gate }).IsAboutThisMachine);
    }

    [Fact]
    public void ALoopbackInBrackets_IsThisMachine() => Assert.True(new TcpProbe(new HealthCheck { Name = "x", Tcp = "[::1]:80", Gate = false }).IsAboutThisMachine);

    [Fact]
    public async Task AClockInThePastThatJumps_LeavesTheLimitsAlone()
    {
        var web = Check("web", ProbeResult.Pass("answers"));
        using var scene = await MonitorScene.StartAsync([web], Dwell, baseline: await BaselineAsync(Check("web", ProbeResult.Pass("answers"))));
        await scene.PassAsync(seconds: 10);

        scene.Time.JumpClock(TimeSpan.FromDays(20000));
        await scene.PassAsync(seconds: 1);
        Assert.Equal(HealthState.Starting, scene.Report.State);
        await scene.PassAsync(seconds: 19);

        Assert.Equal(HealthState.Healthy, scene.Report.State);
    }
}
