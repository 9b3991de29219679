using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Updates;

/// <summary>Jobs: what the engine does when it is asked for a version.</summary>
public sealed class EngineTests : EngineScene
{
    [Fact]
    public async Task TheSameInstallation_IsJoined_WhoeverAsks()
    {
        var job = await StartPausedAsync();

        Assert.Same(job, Engine.Install(new InstallRequest { By = "somebody else" }));
        Assert.Single(World.Requests, request => request.Verb == WorkerVerb.Install);
    }

    [Fact]
    public async Task AnotherRequest_IsRefused_WithTheJobThatIsUnderWay()
    {
        var job = await StartPausedAsync();

        foreach (var ask in new Action[] { () => Engine.Install(new InstallRequest { Version = "1.2" }), () => Engine.Check(new InstallRequest()) })
            Assert.Contains($"Job {job.Id} (install) is under way", Assert.Throws<UserError>(ask).Message, StringComparison.Ordinal);
        Assert.Contains($"Job {job.Id} ", (await Assert.ThrowsAsync<UserError>(() => Engine.RollbackAsync("me", false, Token))).Message, StringComparison.Ordinal);
        Assert.Contains($"Job {job.Id} ", (await Assert.ThrowsAsync<UserError>(() => Engine.MarkBadAsync("b", "me", Token))).Message, StringComparison.Ordinal);
        Assert.Equal(SlotState.Good, World["a"].State);
    }

    [Fact]
    public async Task WhatTheDeviceLooksForByItself_GivesWay_ToWhoeverWantsSomething()
    {
        var look = await StartLookAsync(new InstallRequest());

        var job = Engine.Install(new InstallRequest { Version = "1.1", By = "ada" });
        Assert.Contains($"Job {job.Id} ", Assert.Throws<UserError>(() => Engine.Install(new InstallRequest { Version = "1.2", By = "bert" })).Message, StringComparison.Ordinal);
        await job.Work;

        Assert.Equal((JobState.Cancelled, "gave way to what somebody asked for"), (look.View.State, look.View.Message));
        Assert.Equal((JobState.Done, "1.1"), (job.View.State, Engine.State.Pending!.Version));
    }

    [Fact]
    public async Task ARollback_DoesNotWaitForALook()
    {
        await CommitAsync();
        var look = await StartLookAsync(new InstallRequest());

        await Engine.RollbackAsync("ada", false, Token);

        Assert.True(look.GaveWay);
        Assert.True(World.RebootAsked);
    }

    [Fact]
    public async Task ALookThatSomebodyAskedFor_OrJoined_DoesNotGiveWay()
    {
        var look = await StartLookAsync(new InstallRequest { By = "ada" });
        Assert.Contains($"Job {look.Id} ", (await Assert.ThrowsAsync<UserError>(() => Engine.RollbackAsync("bert", false, Token))).Message, StringComparison.Ordinal);
        Engine.Cancel();
        await look.Work;

        look = await StartLookAsync(new InstallRequest());
        Assert.Same(look, Engine.Install(new InstallRequest { By = "ada" }));
        Assert.Contains($"Job {look.Id} ", Assert.Throws<UserError>(() => Engine.Install(new InstallRequest { Version = "1.2", By = "bert" })).Message, StringComparison.Ordinal);
        Assert.False(look.GaveWay);
    }

    /// <summary>Somebody may join a look before it has begun to look.</summary>
    [Fact]
    public void AJobThatHolds_HoldsForGood()
    {
        using var job = new UpdateJob(1, "check", UpdateJob.OfTheDevice, null, DateTimeOffset.UnixEpoch, Token);

        job.Hold();
        job.Yield();

        Assert.False(job.TryGiveWay());
    }

    /// <summary>A look whose answer does not come; the next one's does.</summary>
    private async Task<UpdateJob> StartLookAsync(InstallRequest request)
    {
        (World.Looking, World.LookBegan) = (new(), new());
        var look = Engine.Install(request);
        await World.LookBegan.Task.WaitAsync(Token);
        World.Looking = null;
        return look;
    }

    [Fact]
    public async Task TwoBundlesThatAreSent_AreNeverTheSame()
    {
        World.Pause = new();
        Engine.Install(new InstallRequest(), new MemoryStream());
        await World.Paused.Task.WaitAsync(Token);

        Assert.Throws<UserError>(() => Engine.Install(new InstallRequest(), new MemoryStream()));
    }

    [Fact]
    public async Task AnInstallation_IsInTheHistory_WithWhoAskedAndHowItCame()
    {
        var job = await InstallAsync(new InstallRequest { By = "ada" });

        Assert.Equal(("1.1", "version 1.1 is in slot b and waits for the restart"), (job.View.Version, job.View.Message));
        var entry = Assert.Single(Engine.State.History);
        Assert.Equal(("installed", "1.1", "1.0"), (entry.Outcome, entry.Version, entry.From));
        Assert.Equal("by ada; 1000 B downloaded (root: patch)", entry.Detail);
        Assert.Equal(1, World.BaselinesTaken);
    }

    [Fact]
    public async Task AVersionThatWaits_IsNotInstalledAgain()
    {
        await InstallAsync(new InstallRequest());

        var job = await InstallAsync(new InstallRequest());

        Assert.Equal("version 1.1 is installed already and waits for the restart", job.View.Message);
        Assert.Equal(EnginePhase.Installed, Engine.State.Phase);
        Assert.Single(World.Requests, request => request.Verb == WorkerVerb.Install);
    }

    [Fact]
    public async Task AVersionThatWaits_RestartsAsTheLatestRequestWantsIt()
    {
        await InstallAsync(new InstallRequest { Reboot = false });

        var job = await InstallAsync(new InstallRequest { Reboot = true });
        Assert.Equal(("version 1.1 is installed already and is restarted into", true), (job.View.Message, Engine.State.Pending!.Reboot));

        await InstallAsync(new InstallRequest()); // as the device asks by itself
        Assert.True(Engine.State.Pending.Reboot);
        Assert.Single(World.Requests, request => request.Verb == WorkerVerb.Install);
    }

    /// <summary>Trap 7 of the field: a failed version that is offered again for ever.</summary>
    [Fact]
    public async Task AVersionThatFailed_IsNotTakenAgain_UntilForced()
    {
        await FailAsync("1.1");

        var check = await CheckAsync();
        var again = await InstallAsync(new InstallRequest());

        Assert.Equal("there is version 1.1, which was tried here and not kept", check.View.Message);
        Assert.Equal(("failedBefore", "1.1"), (Engine.State.LastCheck!.Verdict, Engine.State.LastCheck.Version));
        Assert.Equal(JobState.Failed, again.View.State);
        Assert.Contains("it was not healthy: broken: does not work in 1.1", again.View.Message, StringComparison.Ordinal);
        Assert.Contains("--force", again.View.Message, StringComparison.Ordinal);
        Assert.Equal(EnginePhase.Idle, Engine.State.Phase);

        await InstallAsync(new InstallRequest { Force = true });

        Assert.Equal((EnginePhase.Installed, "1.1"), (Engine.State.Phase, Engine.State.Pending!.Version));
    }

    [Fact]
    public async Task AVersionThatFailed_IsNotTakenFromABundleThatIsSent_UntilForced()
    {
        await FailAsync("1.1");

        var job = Engine.Install(new InstallRequest(), new MemoryStream());
        await job.Work.WaitAsync(Token);

        Assert.Equal(JobState.Failed, job.View.State);
        Assert.Contains("was tried before and not kept", job.View.Message, StringComparison.Ordinal);
        Assert.Equal(SlotState.Bad, World["b"].State);
        await Engine.Install(new InstallRequest { Force = true }, new MemoryStream()).Work.WaitAsync(Token);
        Assert.Equal(SlotState.Trial, World["b"].State);
    }

    [Fact]
    public async Task AVersionThatFailed_IsTaken_WhenItWasCleared()
    {
        await FailAsync("1.1");

        Engine.ClearFailed("1.1");

        Assert.Empty(Engine.State.Failed);
        await InstallAsync(new InstallRequest());
        Assert.Equal("1.1", Engine.State.Pending!.Version);
        Assert.Contains("1.9", Assert.Throws<UserError>(() => Engine.ClearFailed("1.9")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANewerVersion_IsTaken_AfterOneThatFailed_AndTheReasonStays()
    {
        await FailAsync("1.1");
        World.Offered = "1.2";

        await InstallAsync(new InstallRequest());

        Assert.Equal("1.2", Engine.State.Pending!.Version);
        var failed = Assert.Single(Engine.State.Failed);
        Assert.Equal(("1.1", "the last line"), (failed.Version, Assert.Single(failed.Journal)));
    }

    [Fact]
    public async Task AVersionThatIsKept_WasNoFailure()
    {
        await FailAsync("1.1");
        World.Unhealthy.Clear();
        await InstallAsync(new InstallRequest { Force = true });

        await RestartAsync();
        World.Bless();
        await Engine.CommitAsync(Token);

        Assert.Empty(Engine.State.Failed);
        Assert.Equal(("upToDate", "1.1"), (Engine.State.LastCheck!.Verdict, Engine.State.LastCheck.Version));
        Assert.Equal(("committed", "healthy after 1 boot"), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Detail));
    }

    [Fact]
    public async Task CancelInTheMiddle_LeavesNothingUnderWay_AndAnEntry()
    {
        var job = await StartPausedAsync();

        Engine.Cancel();
        await job.Work.WaitAsync(Token);

        Assert.Equal((JobState.Cancelled, EnginePhase.Idle), (job.View.State, Engine.State.Phase));
        Assert.Null(Engine.State.Request);
        Assert.Equal(("cancelled", "1.1"), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Version));
        Assert.Throws<UserError>(Engine.Cancel);
        World.Pause = null;
        Assert.Equal(JobState.Done, (await InstallAsync(new InstallRequest())).View.State);
    }

    [Fact]
    public async Task Inhibitors_HoldTheRestartUp_AndForceDoesNotAsk()
    {
        await InstallAsync(new InstallRequest());
        World.Inhibitors.Add("backup: a backup runs");

        Assert.Equal(["backup: a backup runs"], await Engine.RebootAsync(force: false, Token));
        Assert.False(Engine.Rebooting || World.RebootAsked);

        Assert.Empty(await Engine.RebootAsync(force: true, Token));
        Assert.True(Engine.Rebooting && World.RebootAsked);
    }

    [Fact]
    public async Task TheRestart_IntoANewVersion_NamesItForTheHooks_AndTakesTheBaseline()
    {
        await InstallAsync(new InstallRequest());

        await Engine.RebootAsync(force: false, Token);

        var request = World.Requests.Last(request => request.Verb == WorkerVerb.Reboot);
        Assert.Equal(("b", "1.1"), (request.Slot, request.Version));
        Assert.Equal(2, World.BaselinesTaken); // as it is installed, and anew as it is started
    }

    [Fact]
    public async Task AnOrderlyStop_InTheMiddle_GoesOnAtTheNextStart()
    {
        var job = await StartPausedAsync(new InstallRequest { By = "ada", Reboot = true });

        Engine.Stop();
        await job.Work.WaitAsync(Token);

        Assert.Equal(EnginePhase.Downloading, Engine.State.Phase);
        await GoOnAsync();
        Assert.Equal((EnginePhase.Installed, true), (Engine.State.Phase, Engine.State.Pending!.Reboot));
        Assert.StartsWith("by ada", Assert.Single(Engine.State.History).Detail, StringComparison.Ordinal);
    }

    /// <summary>Systemd ends all services at once: the worker may go before the daemon does.</summary>
    [Fact]
    public async Task AWorkerThatEnds_WhileTheDaemonStops_IsNoFailure()
    {
        var job = await StartPausedAsync();

        Engine.Stop();
        World.Pause!.TrySetException(new WorkerException("the worker ended without an answer"));
        await job.Work.WaitAsync(Token);

        Assert.Equal(EnginePhase.Downloading, Engine.State.Phase);
        Assert.Empty(Engine.State.History);
    }

    [Fact]
    public async Task AWorkerThatEnds_IsAFailureThatIsTold()
    {
        var job = await StartPausedAsync();

        World.Pause!.SetException(new WorkerException("the worker ended without an answer"));
        await job.Work.WaitAsync(Token);

        Assert.Equal((JobState.Failed, EnginePhase.Idle), (job.View.State, Engine.State.Phase));
        Assert.Equal(("failed", "the worker ended without an answer"), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Detail));
    }

    /// <summary>It is what the next restart starts, whatever came after it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnInstallationThatEnds_WhenTheVersionIsInItsSlot_LeavesItWaiting(bool cancelled)
    {
        World.PostInstallError = cancelled ? new OperationCanceledException() : new WorkerException("the worker ended without an answer");

        var job = await InstallAsync(new InstallRequest { Reboot = true });

        Assert.Equal(cancelled ? JobState.Cancelled : JobState.Failed, job.View.State);
        // What somebody stopped does not restart the device by itself.
        Assert.Equal((EnginePhase.Installed, "1.1", "b", !cancelled), (Engine.State.Phase, Engine.State.Pending!.Version, Engine.State.Pending.Slot, Engine.State.Pending.Reboot));
        Assert.Equal(cancelled ? "cancelled" : "failed", Engine.State.History[^1].Outcome);
        await RestartAsync();
        Assert.Equal((EnginePhase.Probation, "1.1"), (Engine.State.Phase, World.Version));
    }

    [Fact]
    public async Task ABundleThatWasBeingSent_CannotGoOn_AndThatIsTold()
    {
        World.Pause = new();
        var job = Engine.Install(new InstallRequest(), new MemoryStream());
        await World.Paused.Task.WaitAsync(Token);
        Engine.Stop();
        await job.Work.WaitAsync(Token);

        StartAgain();

        Assert.Equal(BootOutcome.GoOn, await Engine.ReviewBootAsync(Token));
        Assert.Null(Engine.GoOn());
        Assert.Equal(EnginePhase.Idle, Engine.State.Phase);
        Assert.Contains("send it again", Assert.Single(Engine.State.History).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABundleThatIsSent_IsClosed_HoweverItEnds()
    {
        World.InstallError = new UserError("no");
        var bundle = new MemoryStream();

        await Engine.Install(new InstallRequest(), bundle).Work.WaitAsync(Token);

        Assert.False(bundle.CanRead);
    }

    [Fact]
    public async Task ARepositoryThatCannotBeAsked_IsTold_AndNothingChanges()
    {
        World.Unreachable = "the server does not answer";

        var job = await InstallAsync(new InstallRequest());

        Assert.Equal((JobState.Failed, "the server does not answer"), (job.View.State, job.View.Message));
        Assert.Equal(("error", "the server does not answer"), (Engine.State.LastCheck!.Verdict, Engine.State.LastCheck.Message));
        Assert.Empty(Engine.State.History);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnInstallationThatWroteNothing_LeavesTheVersionThatWaits_Waiting(bool refused)
    {
        await InstallAsync(new InstallRequest { Reboot = false });
        if (refused) World.InstallError = new UserError("The hook backup failed.");
        else World.Offered = "1.0";

        var job = Engine.Install(new InstallRequest(), new MemoryStream());
        await job.Work.WaitAsync(Token);

        Assert.Equal(refused ? JobState.Failed : JobState.Done, job.View.State);
        Assert.Equal((EnginePhase.Installed, "1.1", false), (Engine.State.Phase, Engine.State.Pending!.Version, Engine.State.Pending.Reboot));
        Assert.Equal(refused ? ["installed", "failed"] : ["installed"], Engine.State.History.Select(entry => entry.Outcome));
    }

    [Fact]
    public async Task NothingIsInstalled_WhileAVersionIsOnTrial()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.Offered = "1.2";

        Assert.Contains("Version 1.1 is on trial", Assert.Throws<UserError>(() => Engine.Install(new InstallRequest { Force = true })).Message, StringComparison.Ordinal);
        using var bundle = new MemoryStream();
        Assert.Throws<UserError>(() => Engine.Install(new InstallRequest(), bundle));
    }
}
