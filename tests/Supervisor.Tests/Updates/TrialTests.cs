using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Updates;

/// <summary>What ends a trial, what does not, and how a version is given up.</summary>
public sealed class TrialTests : EngineScene
{
    /// <summary>Trap 6 of the field: a good restart during the trial is no failed boot, and no verdict either.</summary>
    [Fact]
    public async Task AGoodRestart_OnTrial_IsNoVerdict()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        Assert.Equal(EnginePhase.Probation, Engine.State.Phase);

        await Engine.RebootAsync(force: false, Token);
        await RestartAsync();

        Assert.Equal("1.1", World.Version);
        Assert.Equal((EnginePhase.Probation, 2), (Engine.State.Phase, Engine.State.Pending!.Boots.Count));
        Assert.Empty(Engine.State.Failed);
    }

    /// <summary>Trap 6 again: that somebody can log in, or looks, says nothing; only the gate's verdict does.</summary>
    [Fact]
    public async Task AHealthyReportOrALook_OnTrial_IsNoCommit()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        Engine.NoteVerdict(new HealthReport(HealthState.Healthy, ["every check passes"], []));
        await CheckAsync();
        await Engine.RefreshSlotsAsync(Token);

        Assert.Equal(EnginePhase.Probation, Engine.State.Phase);
        Assert.Equal(SlotState.Trial, World["b"].State);
        Assert.NotNull(World.ReadTrial());
    }

    [Fact]
    public async Task MarkGood_OnTrial_KeepsIt()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        await Engine.MarkGoodAsync(Token);

        Assert.Equal((SlotState.Good, EnginePhase.Idle), (World["b"].State, Engine.State.Phase));
        Assert.Equal("committed", Engine.State.History[^1].Outcome);
    }

    [Fact]
    public async Task Rollback_OnTrial_IsRemembered_WithWho()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        Assert.Empty(await Engine.RollbackAsync("ada", force: false, Token));
        await RestartAsync();

        Assert.Equal("1.0", World.Version);
        Assert.Equal(("1.1", "ada went back from it"), (Assert.Single(Engine.State.Failed).Version, Engine.State.Failed[0].Reason));
        Assert.Equal(("rolledBack", "ada went back from it"), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Detail));
    }

    [Fact]
    public async Task Rollback_FromAVersionThatWasKept_IsRemembered_WithWho()
    {
        await CommitAsync();

        await Engine.RollbackAsync("ada", force: false, Token);
        await RestartAsync();

        Assert.Equal("1.0", World.Version);
        Assert.Equal(("1.1", "ada went back from it"), (Assert.Single(Engine.State.Failed).Version, Engine.State.Failed[0].Reason));
        Assert.Equal("failedBefore", (await CheckAsync(), Engine.State.LastCheck!.Verdict).Verdict);
    }

    [Fact]
    public async Task Rollback_WithNothingToGoBackTo_ChangesNothing()
    {
        var before = Engine.State;

        await Assert.ThrowsAsync<UserError>(() => Engine.RollbackAsync("ada", force: false, Token));

        Assert.Equal(before.Failed, Engine.State.Failed);
        Assert.Equal(before.History, Engine.State.History);
        Assert.False(World.RebootAsked);
    }

    /// <summary>The other slot is not behind but ahead: going there would leave nothing to fall back to.</summary>
    [Fact]
    public async Task Rollback_WhileAVersionWaits_IsRefused()
    {
        await InstallAsync(new InstallRequest());

        var error = await Assert.ThrowsAsync<UserError>(() => Engine.RollbackAsync("ada", force: true, Token));

        Assert.Contains("1.1, which was never tried", error.Message, StringComparison.Ordinal);
        Assert.Equal((SlotState.Good, SlotState.Trial), (World["a"].State, World["b"].State));
    }

    [Fact]
    public async Task MarkBad_OfWhatIsProven_WhileTheOtherIsNot_IsRefused()
    {
        await InstallAsync(new InstallRequest());
        Assert.Contains("on trial", (await Assert.ThrowsAsync<UserError>(() => Engine.MarkBadAsync("a", "ada", Token))).Message, StringComparison.Ordinal);
        Assert.Empty(Engine.State.Failed);

        await RestartAsync();

        Assert.Contains("on trial", (await Assert.ThrowsAsync<UserError>(() => Engine.MarkBadAsync("a", "ada", Token))).Message, StringComparison.Ordinal);
        Assert.Equal((SlotState.Good, SlotState.Trial), (World["a"].State, World["b"].State));
        Assert.Null(Engine.State.Pending!.GivenUp);
    }

    /// <summary>The worker is killed before it has done anything.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AGivingUpThatFails_IsForgotten(bool onTrial)
    {
        await InstallAsync(new InstallRequest());
        if (onTrial) await RestartAsync();
        World.MarkBadError = new WorkerException("the worker ended without an answer");

        await Assert.ThrowsAsync<WorkerException>(() => Engine.MarkBadAsync("b", "ada", Token));

        Assert.Null(Engine.State.Pending!.GivenUp);
        Assert.Equal(SlotState.Trial, World["b"].State);
        Assert.Empty(Engine.State.Failed);
    }

    /// <summary>What a full disk is one of the reasons for.</summary>
    [Fact]
    public async Task AFullDisk_DoesNotHoldARollbackUp()
    {
        await CommitAsync();
        World.DiskError = new IOException("no space left on device");

        Assert.Empty(await Engine.RollbackAsync("ada", force: false, Token));
        await RestartAsync();

        Assert.Equal(("1.0", SlotState.Bad), (World.Version, World["b"].State));
    }

    [Fact]
    public async Task WhileAVersionIsBeingKept_ItIsNotGivenUp()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.Bless();
        World.Hooks = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var commit = Engine.CommitAsync(Token);

        foreach (var giveUp in new Func<Task>[] { () => Engine.RollbackAsync("ada", force: false, Token), () => Engine.MarkBadAsync("b", "ada", Token) })
            Assert.Contains("is being kept", (await Assert.ThrowsAsync<UserError>(giveUp)).Message, StringComparison.Ordinal);
        World.Hooks.SetResult();
        await commit;

        Assert.Equal((EnginePhase.Idle, SlotState.Good), (Engine.State.Phase, World["b"].State));
        Assert.Empty(await Engine.RollbackAsync("ada", force: false, Token));
    }

    [Fact]
    public async Task MarkBad_OfTheVersionThatWaits_GivesItUp()
    {
        await InstallAsync(new InstallRequest());

        await Engine.MarkBadAsync("b", "ada", Token);
        await RestartAsync();

        Assert.Equal(("1.0", EnginePhase.Idle), (World.Version, Engine.State.Phase));
        Assert.Equal("ada marked it bad", Assert.Single(Engine.State.Failed).Reason);
        Assert.Null(World.ReadTrial());
    }

    [Fact]
    public async Task MarkBad_OfTheRunningSlot_OnTrial_IsTheReasonLater()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        await Engine.MarkBadAsync("b", "ada", Token);
        await RestartAsync();

        Assert.Equal(("1.0", "ada marked it bad"), (World.Version, Assert.Single(Engine.State.Failed).Reason));
    }

    /// <summary>Its restart waits for somebody; meanwhile the checks pass.</summary>
    [Fact]
    public async Task WhatWasGivenUpOnTrial_IsNotKeptByItsChecks_OnlyByAPerson()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.Inhibitors.Add("a backup");
        Assert.NotEmpty(await Engine.RollbackAsync("ada", force: false, Token));

        await Engine.CommitAsync(Token);
        Assert.Equal((EnginePhase.Probation, SlotState.Bad), (Engine.State.Phase, World["b"].State));

        await Engine.MarkGoodAsync(Token);
        Assert.Equal((EnginePhase.Idle, SlotState.Good, "committed"), (Engine.State.Phase, World["b"].State, Engine.State.History[^1].Outcome));
    }

    /// <summary>Whoever asked is gone, and what was begun is not: the schedule comes back to it.</summary>
    [Fact]
    public async Task AGivingUpThatWaitsForItsRestart_IsFinishedLater()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.Inhibitors.Add("a backup");
        Assert.NotEmpty(await Engine.RollbackAsync("ada", force: false, Token));
        Assert.True(Engine.IsGivingUp);

        Assert.False(await Engine.FinishGivingUpAsync(Token));
        World.Inhibitors.Clear();
        Assert.True(await Engine.FinishGivingUpAsync(Token));

        Assert.True(World.RebootAsked);
        await RestartAsync();
        Assert.Equal("1.0", World.Version);
        Assert.False(Engine.IsGivingUp);
    }

    /// <summary>The request that gave it up is broken off (a browser's tab is closed), and the worker fails once at the next start.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AGivingUpThatFailsAtTheNextStart_IsTriedAgain_AndNotForgotten(bool mistake)
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.MarkBadError = new OperationCanceledException();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Engine.RollbackAsync("ada", force: false, Token));
        World.MarkBadError = mistake ? new UserError("The boot partition cannot be mounted.") : new WorkerException("the worker cannot be reached");
        await RestartAsync();
        Assert.Equal(("1.1", "ada went back from it"), (World.Version, Engine.State.Pending!.GivenUp));
        Assert.True(Engine.IsGivingUp);

        World.MarkBadError = null;
        Assert.True(await Engine.FinishGivingUpAsync(Token));
        await RestartAsync();

        Assert.Equal(("1.0", "ada went back from it"), (World.Version, Assert.Single(Engine.State.Failed).Reason));
    }

    /// <summary>The other slot was damaged meanwhile: there is nothing to go back to, and nobody tries it for ever.</summary>
    [Fact]
    public async Task AGivingUpThatCannotBe_IsForgotten()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.MarkBadError = new OperationCanceledException();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Engine.RollbackAsync("ada", force: false, Token));
        World.MarkBadError = null;
        World["a"].State = SlotState.Bad;

        Assert.False(await Engine.FinishGivingUpAsync(Token));

        Assert.Null(Engine.State.Pending!.GivenUp);
        Assert.False(Engine.IsGivingUp);
    }

    /// <summary>A mark alone asks for no restart; the one that comes leads away.</summary>
    [Fact]
    public async Task MarkBad_OnTrial_RestartsNothing()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();

        await Engine.MarkBadAsync("b", "ada", Token);

        Assert.False(Engine.IsGivingUp || World.RebootAsked);
    }

    [Fact]
    public async Task WhereNoBootLoaderAsks_TheVerdictKeeps()
    {
        World.KnowsNoCount = true;
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        Assert.Equal((EnginePhase.Probation, BootState.Unknown), (Engine.State.Phase, World.BootState));

        Engine.NoteVerdict(new HealthReport(HealthState.Healthy, ["every check passes"], []));

        Assert.Equal(BootState.Good, World.BootState); // which the schedule looks at
    }

    [Fact]
    public async Task WhoeverGoesBackFromAKeptVersion_CanThinkBetterOfIt()
    {
        await CommitAsync();
        World.Inhibitors.Add("a backup");
        await Engine.RollbackAsync("ada", force: false, Token);

        await Engine.MarkGoodAsync(Token);

        Assert.Empty(Engine.State.Failed);
        Assert.Equal(SlotState.Good, World["b"].State);
    }

    /// <summary>A slot that was damaged is written anew; a version that crashes some time after it was kept does not come for ever.</summary>
    [Fact]
    public async Task AKeptVersionThatStopsBooting_IsTakenOnceMore_AndNotAThirdTime()
    {
        for (var time = 1; time <= 2; time++)
        {
            await CommitAsync();
            World["b"].State = SlotState.Bad; // its tries are used up
            await RestartAsync();

            Assert.Equal("1.0", World.Version);
            Assert.Equal(("rolledBack", "1.1"), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Version));
            Assert.Equal(time - 1, Engine.State.Failed.Count);
            var noted = Engine.State.History.Count;
            await RestartAsync();
            Assert.Equal(noted, Engine.State.History.Count);
        }
        Assert.Equal("failedBefore", (await CheckAsync(), Engine.State.LastCheck!.Verdict).Verdict);
    }

    [Fact]
    public async Task AnOlderVersionThatWasForced_IsNoFaultOfTheNewerOne()
    {
        await CommitAsync();
        await InstallAsync(new InstallRequest { Force = true, Version = "1.0" });
        World["b"].State = SlotState.Bad;
        await RestartAsync();
        World.Bless();
        await Engine.CommitAsync(Token);

        await RestartAsync();

        Assert.Equal(("committed", "1.0"), (Engine.State.History[^1].Outcome, Engine.State.History[^1].Version));
    }

    [Fact]
    public async Task AFullDisk_StopsNoVerdict_AndNothingBeginsOnIt()
    {
        await InstallAsync(new InstallRequest());
        World.DiskError = new IOException("no space left on device");
        await RestartAsync();
        Assert.Equal(EnginePhase.Probation, Engine.State.Phase);
        Engine.NoteVerdict(new HealthReport(HealthState.Unhealthy, ["the disk is full"], []));
        World.Bless();
        await Engine.CommitAsync(Token);
        Assert.Equal((EnginePhase.Idle, "committed"), (Engine.State.Phase, Engine.State.History[^1].Outcome));

        World.Offered = "1.2";
        var install = await InstallAsync(new InstallRequest());
        Assert.Equal((JobState.Failed, EnginePhase.Idle), (install.View.State, Engine.State.Phase));
        Assert.StartsWith("The state of the updates cannot be written: no space left on device\n", install.View.Message, StringComparison.Ordinal);
        Assert.Equal(SlotState.Good, World["a"].State);

        // With the next step all of it is on the disk.
        World.DiskError = null;
        await CheckAsync();
        await RestartAsync();
        Assert.Equal((EnginePhase.Idle, "committed"), (Engine.State.Phase, Engine.State.History[^1].Outcome));
    }

    [Fact]
    public async Task WhyATrialFailed_OutlivesTheRestart()
    {
        await FailAsync("1.1");

        var failed = Assert.Single(Engine.State.Failed);
        Assert.Equal("it was not healthy: broken: does not work in 1.1", failed.Reason);
        Assert.Equal(["broken: does not work in 1.1"], failed.Failures);
        Assert.Equal(["the last line"], failed.Journal);
    }
}
