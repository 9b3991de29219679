using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;

namespace Supervisor.Tests.Health;

/// <summary>The daemon of a version on trial: what it compares itself with, and what is on the disk when its verdict is seen.</summary>
public sealed class TrialVerdictTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;

    private string BaselinePath => _scene.File("baseline.json");

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        _scene.Systemd.Units["old.service"] = "failed";
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    private void OnTrial(string version = "1.0", string from = "0.9") =>
        new TrialRecord { Version = version, From = from, Slot = "a", InstalledBy = "boot-before" }.Write(_scene.TrialPath);

    /// <summary>Version 0.9 had one failed unit.</summary>
    private void Baseline(string of = "0.9") => new HealthBaseline
    {
        Version = of,
        TakenAt = DateTimeOffset.UnixEpoch,
        Checks = new Dictionary<string, BaselineCheck> { ["systemd"] = new() { Kind = "systemd", Outcome = ProbeOutcome.Failed, Message = "failed: old.service", Failing = ["old.service"] } },
    }.Write(BaselinePath);

    private UpdateState StateOnDisk() => new UpdateStore(_scene.File("update.json")).Read();

    [Fact]
    public async Task AUnitThatFailedBefore_DoesNotFailTheTrial()
    {
        OnTrial();
        Baseline();

        await _scene.StartAsync();

        await _scene.HealthBecomesAsync("healthy");
        Assert.Contains("systemd: failed before the update, too: failed: old.service", (await _scene.GetAsync("/api/v1/status"))["healthReasons"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhyATrialFails_IsOnTheDisk_BeforeTheVerdictIsSeen_AndBecomesTheReasonOfTheRollback()
    {
        OnTrial();
        Baseline();
        await _scene.StartAsync();
        await _scene.HealthBecomesAsync("healthy");
        var noted = new TaskCompletionSource<UpdateState>();
        _scene.Service<HealthMonitor>().Changed += report => { if (report.State == HealthState.Unhealthy) noted.TrySetResult(StateOnDisk()); };

        _scene.Systemd.Units["new.service"] = "failed";
        await _scene.Systemd.AnnounceChangeAsync("new.service");

        var state = await noted.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Contains("new.service", Assert.Single(Assert.Single(state.Pending!.Boots).Failures), StringComparison.Ordinal);
        // The next boot: the boot loader is back on the version of before.
        var back = new BootFacts("0.9", "boot-after", BootState.Good, [new SlotStatus { Name = "a", Running = false, State = SlotState.Bad, Version = "1.0" }, new SlotStatus { Name = "b", Running = true, State = SlotState.Good, Version = "0.9" }], TrialRecord.TryRead(_scene.TrialPath));
        var judgement = new BootReview(TimeProvider.System).Judge(state, back);
        Assert.Equal(BootOutcome.RolledBack, judgement.Outcome);
        Assert.StartsWith("it was not healthy: systemd: failed: ", judgement.State.Failed[^1].Reason, StringComparison.Ordinal);
        Assert.Contains("new.service", judgement.State.Failed[^1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutATrial_ABaselineIsNotUsed()
    {
        Baseline();
        await AssertDeclaredAsync();
    }

    [Fact]
    public async Task ATrialOfAnotherVersion_IsNotThisOnes()
    {
        OnTrial(version: "1.1", from: "1.0");
        Baseline(of: "1.0");
        await AssertDeclaredAsync();
    }

    [Fact]
    public async Task TheSameVersionInstalledAgain_IsOnTrialOnlyAfterTheRestart()
    {
        _scene.Device.Write("proc/sys/kernel/random/boot_id", "boot-before\n");
        OnTrial(from: "1.0");
        Baseline(of: "1.0");
        await AssertDeclaredAsync();
    }

    [Fact]
    public async Task ABaselineOfAnotherUpdate_IsNotUsed()
    {
        OnTrial();
        Baseline(of: "0.8");
        await AssertDeclaredAsync();
    }

    [Fact]
    public async Task ACutBeforeTheBaselineWasWritten_LeavesEveryCheckAsItIsDeclared()
    {
        OnTrial();
        await AssertDeclaredAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"version\":\"0.9\"")]
    public async Task ADamagedBaseline_LeavesEveryCheckAsItIsDeclared(string text)
    {
        OnTrial();
        await File.WriteAllTextAsync(BaselinePath, text, TestContext.Current.CancellationToken);
        await AssertDeclaredAsync();
    }

    private async Task AssertDeclaredAsync()
    {
        await _scene.StartAsync();
        await Eventually.IsTrueAsync(async () => (await _scene.GetAsync("/api/v1/status"))["healthReasons"]!.ToJsonString().Contains("\"systemd: failed: old.service\"", StringComparison.Ordinal), "the failed unit");
        Assert.False(_scene.Service<HealthMonitor>().InTrial);
    }

    [Fact]
    public async Task TheBaseline_IsWrittenWhenTheEngineAsks_AndGoneWithTheTrial()
    {
        await _scene.StartAsync();
        await Eventually.IsTrueAsync(() => _scene.Service<HealthMonitor>().Report.Checks.All(check => check.Tried is not null), "the first attempts");
        var baseline = _scene.Service<IBaseline>();

        baseline.Take();

        var taken = HealthBaseline.TryRead(BaselinePath)!;
        Assert.Equal("1.0", taken.Version);
        Assert.Equal(ProbeOutcome.Passed, taken.Checks["data"].Outcome);
        Assert.Equal((ProbeOutcome.Failed, "old.service"), (taken.Checks["systemd"].Outcome, Assert.Single(taken.Checks["systemd"].Failing)));
        baseline.Drop();
        Assert.False(File.Exists(BaselinePath));
    }

    [Fact]
    public async Task ABaselineThatCannotBeWritten_KeepsNoUpdateBack()
    {
        using var scene = await MonitorScene.StartAsync([new SetProbe("a")]);

        new SavedBaseline("/proc/nowhere/baseline.json", "1.0", scene.Monitor).Take();
    }

    [Fact]
    public async Task TheEndOfTheTrial_MakesChecksCountAsDeclared()
    {
        OnTrial();
        Baseline();
        await _scene.StartAsync();
        await _scene.HealthBecomesAsync("healthy");

        _scene.Service<IBaseline>().Drop();

        await _scene.HealthBecomesAsync("unhealthy");
    }
}
