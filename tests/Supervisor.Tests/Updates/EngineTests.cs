using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Updates;

/// <summary>What the engine does when it is asked, while 1.0 runs and 1.1 is offered.</summary>
public sealed class EngineTests : IDisposable
{
    private readonly UpdateWorld _world = new();
    private UpdateEngine _engine;

    public EngineTests()
    {
        _world.Boot();
        _engine = _world.NewEngine();
    }

    public void Dispose()
    {
        _engine.Dispose();
        _world.Dispose();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TheSameInstallation_IsJoined_WhoeverAsks()
    {
        var job = await StartPausedAsync();

        Assert.Same(job, _engine.Install(new InstallRequest { By = "somebody else" }));
        Assert.Single(_world.Requests, request => request.Verb == WorkerVerb.Install);
    }

    [Fact]
    public async Task AnotherRequest_IsRefused_WithTheJobThatIsUnderWay()
    {
        var job = await StartPausedAsync();

        foreach (var ask in new Action[] { () => _engine.Install(new InstallRequest { Version = "1.2" }), () => _engine.Check(new InstallRequest()) })
            Assert.Contains($"Job {job.Id} (install) is under way", Assert.Throws<UserError>(ask).Message, StringComparison.Ordinal);
        Assert.Contains($"Job {job.Id} ", (await Assert.ThrowsAsync<UserError>(() => _engine.RollbackAsync("me", false, Token))).Message, StringComparison.Ordinal);
        Assert.Contains($"Job {job.Id} ", (await Assert.ThrowsAsync<UserError>(() => _engine.MarkBadAsync("b", "me", Token))).Message, StringComparison.Ordinal);
        Assert.Equal(SlotState.Good, _world["a"].State);
    }

    [Fact]
    public async Task TwoBundlesThatAreSent_AreNeverTheSame()
    {
        _world.Pause = new();
        _engine.Install(new InstallRequest(), new MemoryStream());
        await _world.Paused.Task.WaitAsync(Token);

        Assert.Throws<UserError>(() => _engine.Install(new InstallRequest(), new MemoryStream()));
    }

    [Fact]
    public async Task AnInstallation_IsInTheHistory_WithWhoAskedAndHowItCame()
    {
        var job = await InstallAsync(new InstallRequest { By = "ada" });

        Assert.Equal(("1.1", "version 1.1 is in slot b and waits for the restart"), (job.View.Version, job.View.Message));
        var entry = Assert.Single(_engine.State.History);
        Assert.Equal(("installed", "1.1", "1.0"), (entry.Outcome, entry.Version, entry.From));
        Assert.Equal("by ada; 1000 B downloaded (root: patch)", entry.Detail);
        Assert.Equal(1, _world.BaselinesTaken);
    }

    [Fact]
    public async Task AVersionThatWaits_IsNotInstalledAgain()
    {
        await InstallAsync(new InstallRequest());

        var job = await InstallAsync(new InstallRequest());

        Assert.Equal("version 1.1 is installed already and waits for the restart", job.View.Message);
        Assert.Equal(EnginePhase.Installed, _engine.State.Phase);
        Assert.Single(_world.Requests, request => request.Verb == WorkerVerb.Install);
    }

    [Fact]
    public async Task AVersionThatWaits_RestartsAsTheLatestRequestWantsIt()
    {
        await InstallAsync(new InstallRequest { Reboot = false });

        var job = await InstallAsync(new InstallRequest { Reboot = true });
        Assert.Equal(("version 1.1 is installed already and is restarted into", true), (job.View.Message, _engine.State.Pending!.Reboot));

        await InstallAsync(new InstallRequest()); // as the device asks by itself
        Assert.True(_engine.State.Pending.Reboot);
        Assert.Single(_world.Requests, request => request.Verb == WorkerVerb.Install);
    }

    /// <summary>Trap 7 of the field: a failed version that is offered again for ever.</summary>
    [Fact]
    public async Task AVersionThatFailed_IsNotTakenAgain_UntilForced()
    {
        await FailAsync("1.1");

        var check = await CheckAsync();
        var again = await InstallAsync(new InstallRequest());

        Assert.Equal("there is version 1.1, which was tried here and not kept", check.View.Message);
        Assert.Equal(("failedBefore", "1.1"), (_engine.State.LastCheck!.Verdict, _engine.State.LastCheck.Version));
        Assert.Equal(JobState.Failed, again.View.State);
        Assert.Contains("it was not healthy: broken: does not work in 1.1", again.View.Message, StringComparison.Ordinal);
        Assert.Contains("--force", again.View.Message, StringComparison.Ordinal);
        Assert.Equal(EnginePhase.Idle, _engine.State.Phase);

        await InstallAsync(new InstallRequest { Force = true });

        Assert.Equal((EnginePhase.Installed, "1.1"), (_engine.State.Phase, _engine.State.Pending!.Version));
    }

    [Fact]
    public async Task AVersionThatFailed_IsNotTakenFromABundleThatIsSent_UntilForced()
    {
        await FailAsync("1.1");

        var job = _engine.Install(new InstallRequest(), new MemoryStream());
        await job.Work.WaitAsync(Token);

        Assert.Equal(JobState.Failed, job.View.State);
        Assert.Contains("was tried before and not kept", job.View.Message, StringComparison.Ordinal);
        Assert.Equal(SlotState.Bad, _world["b"].State);
        await _engine.Install(new InstallRequest { Force = true }, new MemoryStream()).Work.WaitAsync(Token);
        Assert.Equal(SlotState.Trial, _world["b"].State);
    }

    [Fact]
    public async Task AVersionThatFailed_IsTaken_WhenItWasCleared()
    {
        await FailAsync("1.1");

        _engine.ClearFailed("1.1");

        Assert.Empty(_engine.State.Failed);
        await InstallAsync(new InstallRequest());
        Assert.Equal("1.1", _engine.State.Pending!.Version);
        Assert.Contains("1.9", Assert.Throws<UserError>(() => _engine.ClearFailed("1.9")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANewerVersion_IsTaken_AfterOneThatFailed_AndTheReasonStays()
    {
        await FailAsync("1.1");
        _world.Offered = "1.2";

        await InstallAsync(new InstallRequest());

        Assert.Equal("1.2", _engine.State.Pending!.Version);
        var failed = Assert.Single(_engine.State.Failed);
        Assert.Equal(("1.1", "the last line"), (failed.Version, Assert.Single(failed.Journal)));
    }

    [Fact]
    public async Task AVersionThatIsKept_WasNoFailure()
    {
        await FailAsync("1.1");
        _world.Unhealthy.Clear();
        await InstallAsync(new InstallRequest { Force = true });

        await RestartAsync();
        _world.Bless();
        await _engine.CommitAsync(Token);

        Assert.Empty(_engine.State.Failed);
        Assert.Equal(("upToDate", "1.1"), (_engine.State.LastCheck!.Verdict, _engine.State.LastCheck.Version));
        Assert.Equal(("committed", "healthy after 1 boot"), (_engine.State.History[^1].Outcome, _engine.State.History[^1].Detail));
    }

    [Fact]
    public async Task CancelInTheMiddle_LeavesNothingUnderWay_AndAnEntry()
    {
        var job = await StartPausedAsync();

        _engine.Cancel();
        await job.Work.WaitAsync(Token);

        Assert.Equal((JobState.Cancelled, EnginePhase.Idle), (job.View.State, _engine.State.Phase));
        Assert.Null(_engine.State.Request);
        Assert.Equal(("cancelled", "1.1"), (_engine.State.History[^1].Outcome, _engine.State.History[^1].Version));
        Assert.Throws<UserError>(_engine.Cancel);
        _world.Pause = null;
        Assert.Equal(JobState.Done, (await InstallAsync(new InstallRequest())).View.State);
    }

    [Fact]
    public async Task Inhibitors_HoldTheRestartUp_AndForceDoesNotAsk()
    {
        await InstallAsync(new InstallRequest());
        _world.Inhibitors.Add("backup: a backup runs");

        Assert.Equal(["backup: a backup runs"], await _engine.RebootAsync(force: false, Token));
        Assert.False(_engine.Rebooting || _world.RebootAsked);

        Assert.Empty(await _engine.RebootAsync(force: true, Token));
        Assert.True(_engine.Rebooting && _world.RebootAsked);
    }

    [Fact]
    public async Task TheRestart_IntoANewVersion_NamesItForTheHooks_AndTakesTheBaseline()
    {
        await InstallAsync(new InstallRequest());

        await _engine.RebootAsync(force: false, Token);

        var request = _world.Requests.Last(request => request.Verb == WorkerVerb.Reboot);
        Assert.Equal(("b", "1.1"), (request.Slot, request.Version));
        Assert.Equal(2, _world.BaselinesTaken); // as it is installed, and anew as it is started
    }

    [Fact]
    public async Task AnOrderlyStop_InTheMiddle_GoesOnAtTheNextStart()
    {
        var job = await StartPausedAsync(new InstallRequest { By = "ada", Reboot = true });

        _engine.Stop();
        await job.Work.WaitAsync(Token);

        Assert.Equal(EnginePhase.Downloading, _engine.State.Phase);
        await GoOnAsync();
        Assert.Equal((EnginePhase.Installed, true), (_engine.State.Phase, _engine.State.Pending!.Reboot));
        Assert.StartsWith("by ada", Assert.Single(_engine.State.History).Detail, StringComparison.Ordinal);
    }

    /// <summary>Systemd ends all services at once: the worker may go before the daemon does.</summary>
    [Fact]
    public async Task AWorkerThatEnds_WhileTheDaemonStops_IsNoFailure()
    {
        var job = await StartPausedAsync();

        _engine.Stop();
        _world.Pause!.TrySetException(new WorkerException("the worker ended without an answer"));
        await job.Work.WaitAsync(Token);

        Assert.Equal(EnginePhase.Downloading, _engine.State.Phase);
        Assert.Empty(_engine.State.History);
    }

    [Fact]
    public async Task AWorkerThatEnds_IsAFailureThatIsTold()
    {
        var job = await StartPausedAsync();

        _world.Pause!.SetException(new WorkerException("the worker ended without an answer"));
        await job.Work.WaitAsync(Token);

        Assert.Equal((JobState.Failed, EnginePhase.Idle), (job.View.State, _engine.State.Phase));
        Assert.Equal(("failed", "the worker ended without an answer"), (_engine.State.History[^1].Outcome, _engine.State.History[^1].Detail));
    }

    /// <summary>It is what the next restart starts, whatever came after it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnInstallationThatEnds_WhenTheVersionIsInItsSlot_LeavesItWaiting(bool cancelled)
    {
        _world.PostInstallError = cancelled ? new OperationCanceledException() : new WorkerException("the worker ended without an answer");

        var job = await InstallAsync(new InstallRequest { Reboot = true });

        Assert.Equal(cancelled ? JobState.Cancelled : JobState.Failed, job.View.State);
        // What somebody stopped does not restart the device by itself.
        Assert.Equal((EnginePhase.Installed, "1.1", "b", !cancelled), (_engine.State.Phase, _engine.State.Pending!.Version, _engine.State.Pending.Slot, _engine.State.Pending.Reboot));
        Assert.Equal(cancelled ? "cancelled" : "failed", _engine.State.History[^1].Outcome);
        await RestartAsync();
        Assert.Equal((EnginePhase.Probation, "1.1"), (_engine.State.Phase, _world.Version));
    }

    [Fact]
    public async Task ABundleThatWasBeingSent_CannotGoOn_AndThatIsTold()
    {
        _world.Pause = new();
        var job = _engine.Install(new InstallRequest(), new MemoryStream());
        await _world.Paused.Task.WaitAsync(Token);
        _engine.Stop();
        await job.Work.WaitAsync(Token);

        _engine.Dispose();
        _engine = _world.NewEngine();

        Assert.Equal(BootOutcome.GoOn, await _engine.ReviewBootAsync(Token));
        Assert.Null(_engine.GoOn());
        Assert.Equal(EnginePhase.Idle, _engine.State.Phase);
        Assert.Contains("send it again", Assert.Single(_engine.State.History).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABundleThatIsSent_IsClosed_HoweverItEnds()
    {
        _world.InstallError = new UserError("no");
        var bundle = new MemoryStream();

        await _engine.Install(new InstallRequest(), bundle).Work.WaitAsync(Token);

        Assert.False(bundle.CanRead);
    }

    [Fact]
    public async Task ARepositoryThatCannotBeAsked_IsTold_AndNothingChanges()
    {
        _world.Unreachable = "the server does not answer";

        var job = await InstallAsync(new InstallRequest());

        Assert.Equal((JobState.Failed, "the server does not answer"), (job.View.State, job.View.Message));
        Assert.Equal(("error", "the server does not answer"), (_engine.State.LastCheck!.Verdict, _engine.State.LastCheck.Message));
        Assert.Empty(_engine.State.History);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnInstallationThatWroteNothing_LeavesTheVersionThatWaits_Waiting(bool refused)
    {
        await InstallAsync(new InstallRequest { Reboot = false });
        if (refused) _world.InstallError = new UserError("The hook backup failed.");
        else _world.Offered = "1.0";

        var job = _engine.Install(new InstallRequest(), new MemoryStream());
        await job.Work.WaitAsync(Token);

        Assert.Equal(refused ? JobState.Failed : JobState.Done, job.View.State);
        Assert.Equal((EnginePhase.Installed, "1.1", false), (_engine.State.Phase, _engine.State.Pending!.Version, _engine.State.Pending.Reboot));
        Assert.Equal(refused ? ["installed", "failed"] : ["installed"], _engine.State.History.Select(entry => entry.Outcome));
    }

    [Fact]
    public async Task NothingIsInstalled_WhileAVersionIsOnTrial()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.Offered = "1.2";

        Assert.Contains("Version 1.1 is on trial", Assert.Throws<UserError>(() => _engine.Install(new InstallRequest { Force = true })).Message, StringComparison.Ordinal);
        using var bundle = new MemoryStream();
        Assert.Throws<UserError>(() => _engine.Install(new InstallRequest(), bundle));
    }

    /// <summary>Trap 6 of the field: a good restart during the trial is no failed boot, and no verdict either.</summary>
    [Fact]
    public async Task AGoodRestart_OnTrial_IsNoVerdict()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        Assert.Equal(EnginePhase.Probation, _engine.State.Phase);

        await _engine.RebootAsync(force: false, Token);
        await RestartAsync();

        Assert.Equal("1.1", _world.Version);
        Assert.Equal((EnginePhase.Probation, 2), (_engine.State.Phase, _engine.State.Pending!.Boots.Count));
        Assert.Empty(_engine.State.Failed);
    }

    /// <summary>Trap 6 again: that somebody can log in, or looks, says nothing; only the gate's verdict does.</summary>
    [Fact]
    public async Task AHealthyReportOrALook_OnTrial_IsNoCommit()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        _engine.NoteVerdict(new HealthReport(HealthState.Healthy, ["every check passes"], []));
        await CheckAsync();
        await _engine.RefreshSlotsAsync(Token);

        Assert.Equal(EnginePhase.Probation, _engine.State.Phase);
        Assert.Equal(SlotState.Trial, _world["b"].State);
        Assert.NotNull(_world.ReadTrial());
    }

    [Fact]
    public async Task MarkGood_OnTrial_KeepsIt()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        await _engine.MarkGoodAsync(Token);

        Assert.Equal((SlotState.Good, EnginePhase.Idle), (_world["b"].State, _engine.State.Phase));
        Assert.Equal("committed", _engine.State.History[^1].Outcome);
    }

    [Fact]
    public async Task Rollback_OnTrial_IsRemembered_WithWho()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        Assert.Empty(await _engine.RollbackAsync("ada", force: false, Token));
        await RestartAsync();

        Assert.Equal("1.0", _world.Version);
        Assert.Equal(("1.1", "ada went back from it"), (Assert.Single(_engine.State.Failed).Version, _engine.State.Failed[0].Reason));
        Assert.Equal(("rolledBack", "ada went back from it"), (_engine.State.History[^1].Outcome, _engine.State.History[^1].Detail));
    }

    [Fact]
    public async Task Rollback_FromAVersionThatWasKept_IsRemembered_WithWho()
    {
        await CommitAsync();

        await _engine.RollbackAsync("ada", force: false, Token);
        await RestartAsync();

        Assert.Equal("1.0", _world.Version);
        Assert.Equal(("1.1", "ada went back from it"), (Assert.Single(_engine.State.Failed).Version, _engine.State.Failed[0].Reason));
        Assert.Equal("failedBefore", (await CheckAsync(), _engine.State.LastCheck!.Verdict).Verdict);
    }

    [Fact]
    public async Task Rollback_WithNothingToGoBackTo_ChangesNothing()
    {
        var before = _engine.State;

        await Assert.ThrowsAsync<UserError>(() => _engine.RollbackAsync("ada", force: false, Token));

        Assert.Equal(before.Failed, _engine.State.Failed);
        Assert.Equal(before.History, _engine.State.History);
        Assert.False(_world.RebootAsked);
    }

    /// <summary>The other slot is not behind but ahead: going there would leave nothing to fall back to.</summary>
    [Fact]
    public async Task Rollback_WhileAVersionWaits_IsRefused()
    {
        await InstallAsync(new InstallRequest());

        var error = await Assert.ThrowsAsync<UserError>(() => _engine.RollbackAsync("ada", force: true, Token));

        Assert.Contains("1.1, which was never tried", error.Message, StringComparison.Ordinal);
        Assert.Equal((SlotState.Good, SlotState.Trial), (_world["a"].State, _world["b"].State));
    }

    [Fact]
    public async Task MarkBad_OfWhatIsProven_WhileTheOtherIsNot_IsRefused()
    {
        await InstallAsync(new InstallRequest());
        Assert.Contains("on trial", (await Assert.ThrowsAsync<UserError>(() => _engine.MarkBadAsync("a", "ada", Token))).Message, StringComparison.Ordinal);
        Assert.Empty(_engine.State.Failed);

        await RestartAsync();

        Assert.Contains("on trial", (await Assert.ThrowsAsync<UserError>(() => _engine.MarkBadAsync("a", "ada", Token))).Message, StringComparison.Ordinal);
        Assert.Equal((SlotState.Good, SlotState.Trial), (_world["a"].State, _world["b"].State));
        Assert.Null(_engine.State.Pending!.GivenUp);
    }

    /// <summary>The worker is killed before it has done anything.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AGivingUpThatFails_IsForgotten(bool onTrial)
    {
        await InstallAsync(new InstallRequest());
        if (onTrial) await RestartAsync();
        _world.MarkBadError = new WorkerException("the worker ended without an answer");

        await Assert.ThrowsAsync<WorkerException>(() => _engine.MarkBadAsync("b", "ada", Token));

        Assert.Null(_engine.State.Pending!.GivenUp);
        Assert.Equal(SlotState.Trial, _world["b"].State);
        Assert.Empty(_engine.State.Failed);
    }

    /// <summary>What a full disk is one of the reasons for.</summary>
    [Fact]
    public async Task AFullDisk_DoesNotHoldARollbackUp()
    {
        await CommitAsync();
        _world.DiskError = new IOException("no space left on device");

        Assert.Empty(await _engine.RollbackAsync("ada", force: false, Token));
        await RestartAsync();

        Assert.Equal(("1.0", SlotState.Bad), (_world.Version, _world["b"].State));
    }

    [Fact]
    public async Task WhileAVersionIsBeingKept_ItIsNotGivenUp()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.Bless();
        _world.Hooks = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var commit = _engine.CommitAsync(Token);

        foreach (var giveUp in new Func<Task>[] { () => _engine.RollbackAsync("ada", force: false, Token), () => _engine.MarkBadAsync("b", "ada", Token) })
            Assert.Contains("is being kept", (await Assert.ThrowsAsync<UserError>(giveUp)).Message, StringComparison.Ordinal);
        _world.Hooks.SetResult();
        await commit;

        Assert.Equal((EnginePhase.Idle, SlotState.Good), (_engine.State.Phase, _world["b"].State));
        Assert.Empty(await _engine.RollbackAsync("ada", force: false, Token));
    }

    [Fact]
    public async Task MarkBad_OfTheVersionThatWaits_GivesItUp()
    {
        await InstallAsync(new InstallRequest());

        await _engine.MarkBadAsync("b", "ada", Token);
        await RestartAsync();

        Assert.Equal(("1.0", EnginePhase.Idle), (_world.Version, _engine.State.Phase));
        Assert.Equal("ada marked it bad", Assert.Single(_engine.State.Failed).Reason);
        Assert.Null(_world.ReadTrial());
    }

    [Fact]
    public async Task MarkBad_OfTheRunningSlot_OnTrial_IsTheReasonLater()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        await _engine.MarkBadAsync("b", "ada", Token);
        await RestartAsync();

        Assert.Equal(("1.0", "ada marked it bad"), (_world.Version, Assert.Single(_engine.State.Failed).Reason));
    }

    /// <summary>Its restart waits for somebody; meanwhile the checks pass.</summary>
    [Fact]
    public async Task WhatWasGivenUpOnTrial_IsNotKeptByItsChecks_OnlyByAPerson()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.Inhibitors.Add("a backup");
        Assert.NotEmpty(await _engine.RollbackAsync("ada", force: false, Token));

        await _engine.CommitAsync(Token);
        Assert.Equal((EnginePhase.Probation, SlotState.Bad), (_engine.State.Phase, _world["b"].State));

        await _engine.MarkGoodAsync(Token);
        Assert.Equal((EnginePhase.Idle, SlotState.Good, "committed"), (_engine.State.Phase, _world["b"].State, _engine.State.History[^1].Outcome));
    }

    /// <summary>Whoever asked is gone, and what was begun is not: the schedule comes back to it.</summary>
    [Fact]
    public async Task AGivingUpThatWaitsForItsRestart_IsFinishedLater()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.Inhibitors.Add("a backup");
        Assert.NotEmpty(await _engine.RollbackAsync("ada", force: false, Token));
        Assert.True(_engine.IsGivingUp);

        Assert.False(await _engine.FinishGivingUpAsync(Token));
        _world.Inhibitors.Clear();
        Assert.True(await _engine.FinishGivingUpAsync(Token));

        Assert.True(_world.RebootAsked);
        await RestartAsync();
        Assert.Equal("1.0", _world.Version);
        Assert.False(_engine.IsGivingUp);
    }

    /// <summary>The request that gave it up is broken off (a browser's tab is closed), and the worker fails once at the next start.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AGivingUpThatFailsAtTheNextStart_IsTriedAgain_AndNotForgotten(bool mistake)
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.MarkBadError = new OperationCanceledException();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _engine.RollbackAsync("ada", force: false, Token));
        _world.MarkBadError = mistake ? new UserError("The boot partition cannot be mounted.") : new WorkerException("the worker cannot be reached");
        await RestartAsync();
        Assert.Equal(("1.1", "ada went back from it"), (_world.Version, _engine.State.Pending!.GivenUp));
        Assert.True(_engine.IsGivingUp);

        _world.MarkBadError = null;
        Assert.True(await _engine.FinishGivingUpAsync(Token));
        await RestartAsync();

        Assert.Equal(("1.0", "ada went back from it"), (_world.Version, Assert.Single(_engine.State.Failed).Reason));
    }

    /// <summary>The other slot was damaged meanwhile: there is nothing to go back to, and nobody tries it for ever.</summary>
    [Fact]
    public async Task AGivingUpThatCannotBe_IsForgotten()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.MarkBadError = new OperationCanceledException();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _engine.RollbackAsync("ada", force: false, Token));
        _world.MarkBadError = null;
        _world["a"].State = SlotState.Bad;

        Assert.False(await _engine.FinishGivingUpAsync(Token));

        Assert.Null(_engine.State.Pending!.GivenUp);
        Assert.False(_engine.IsGivingUp);
    }

    /// <summary>A mark alone asks for no restart; the one that comes leads away.</summary>
    [Fact]
    public async Task MarkBad_OnTrial_RestartsNothing()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        await _engine.MarkBadAsync("b", "ada", Token);

        Assert.False(_engine.IsGivingUp || _world.RebootAsked);
    }

    [Fact]
    public async Task WhereNoBootLoaderAsks_TheVerdictKeeps()
    {
        _world.KnowsNoCount = true;
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        Assert.Equal((EnginePhase.Probation, BootState.Unknown), (_engine.State.Phase, _world.BootState));

        _engine.NoteVerdict(new HealthReport(HealthState.Healthy, ["every check passes"], []));

        Assert.Equal(BootState.Good, _world.BootState); // which the schedule looks at
    }

    [Fact]
    public async Task WhoeverGoesBackFromAKeptVersion_CanThinkBetterOfIt()
    {
        await CommitAsync();
        _world.Inhibitors.Add("a backup");
        await _engine.RollbackAsync("ada", force: false, Token);

        await _engine.MarkGoodAsync(Token);

        Assert.Empty(_engine.State.Failed);
        Assert.Equal(SlotState.Good, _world["b"].State);
    }

    /// <summary>A slot that was damaged is written anew; a version that crashes some time after it was kept does not come for ever.</summary>
    [Fact]
    public async Task AKeptVersionThatStopsBooting_IsTakenOnceMore_AndNotAThirdTime()
    {
        for (var time = 1; time <= 2; time++)
        {
            await CommitAsync();
            _world["b"].State = SlotState.Bad; // its tries are used up
            await RestartAsync();

            Assert.Equal("1.0", _world.Version);
            Assert.Equal(("rolledBack", "1.1"), (_engine.State.History[^1].Outcome, _engine.State.History[^1].Version));
            Assert.Equal(time - 1, _engine.State.Failed.Count);
            var noted = _engine.State.History.Count;
            await RestartAsync();
            Assert.Equal(noted, _engine.State.History.Count);
        }
        Assert.Equal("failedBefore", (await CheckAsync(), _engine.State.LastCheck!.Verdict).Verdict);
    }

    [Fact]
    public async Task AnOlderVersionThatWasForced_IsNoFaultOfTheNewerOne()
    {
        await CommitAsync();
        await InstallAsync(new InstallRequest { Force = true, Version = "1.0" });
        _world["b"].State = SlotState.Bad;
        await RestartAsync();
        _world.Bless();
        await _engine.CommitAsync(Token);

        await RestartAsync();

        Assert.Equal(("committed", "1.0"), (_engine.State.History[^1].Outcome, _engine.State.History[^1].Version));
    }

    [Fact]
    public async Task AFullDisk_StopsNoVerdict_AndNothingBeginsOnIt()
    {
        await InstallAsync(new InstallRequest());
        _world.DiskError = new IOException("no space left on device");
        await RestartAsync();
        Assert.Equal(EnginePhase.Probation, _engine.State.Phase);
        _engine.NoteVerdict(new HealthReport(HealthState.Unhealthy, ["the disk is full"], []));
        _world.Bless();
        await _engine.CommitAsync(Token);
        Assert.Equal((EnginePhase.Idle, "committed"), (_engine.State.Phase, _engine.State.History[^1].Outcome));

        _world.Offered = "1.2";
        var install = await InstallAsync(new InstallRequest());
        Assert.Equal((JobState.Failed, EnginePhase.Idle), (install.View.State, _engine.State.Phase));
        Assert.StartsWith("The state of the updates cannot be written: no space left on device\n", install.View.Message, StringComparison.Ordinal);
        Assert.Equal(SlotState.Good, _world["a"].State);

        // With the next step all of it is on the disk.
        _world.DiskError = null;
        await CheckAsync();
        await RestartAsync();
        Assert.Equal((EnginePhase.Idle, "committed"), (_engine.State.Phase, _engine.State.History[^1].Outcome));
    }

    [Fact]
    public async Task WhyATrialFailed_OutlivesTheRestart()
    {
        await FailAsync("1.1");

        var failed = Assert.Single(_engine.State.Failed);
        Assert.Equal("it was not healthy: broken: does not work in 1.1", failed.Reason);
        Assert.Equal(["broken: does not work in 1.1"], failed.Failures);
        Assert.Equal(["the last line"], failed.Journal);
    }

    private async Task<UpdateJob> StartPausedAsync(InstallRequest? request = null)
    {
        _world.Pause = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var job = _engine.Install(request ?? new InstallRequest());
        await _world.Paused.Task.WaitAsync(Token);
        return job;
    }

    private async Task<UpdateJob> InstallAsync(InstallRequest request)
    {
        var job = _engine.Install(request);
        await job.Work.WaitAsync(Token);
        return job;
    }

    private async Task<UpdateJob> CheckAsync()
    {
        var job = _engine.Check(new InstallRequest());
        await job.Work.WaitAsync(Token);
        return job;
    }

    private async Task GoOnAsync()
    {
        _engine.Dispose();
        _engine = _world.NewEngine();
        _world.Pause = null;
        await _engine.ReviewBootAsync(Token);
        await _engine.FollowUpAsync(Token);
        await _engine.GoOn()!.Work.WaitAsync(Token);
    }

    /// <summary>The device restarts, and the next boot's engine has found out what that means.</summary>
    private async Task RestartAsync()
    {
        _engine.Dispose();
        _world.Boot();
        _engine = _world.NewEngine();
        await _engine.ReviewBootAsync(Token);
        await _engine.FollowUpAsync(Token);
    }

    private async Task CommitAsync()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        _world.Bless();
        await _engine.CommitAsync(Token);
    }

    /// <summary>Installs a version, lets it be found unhealthy at every try, and comes back.</summary>
    private async Task FailAsync(string version)
    {
        _world.Unhealthy.Add(version);
        await InstallAsync(new InstallRequest());
        while (_world.Version != version || _engine.State.Phase == EnginePhase.Probation)
        {
            await RestartAsync();
            if (_world.Version != version) return;
            _engine.NoteVerdict(_world.Verdict());
            _world.EndBoot();
        }
    }
}
