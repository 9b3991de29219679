using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;

namespace Supervisor.Tests.Updates;

/// <summary>What a boot means, from what is remembered and what booted: 1.0 runs in slot a, 1.1 was installed into b by boot-1.</summary>
public sealed class BootReviewTests
{
    private static readonly PendingUpdate Pending = new() { Version = "1.1", From = "1.0", Slot = "b", InstalledBy = "boot-1" };
    private static readonly UpdateState Installed = new() { Phase = EnginePhase.Installed, Pending = Pending };
    private static readonly TrialRecord Record = new() { Version = "1.1", From = "1.0", Slot = "b", InstalledBy = "boot-1" };

    [Fact]
    public void NothingUnderWay_IsNothing()
    {
        var judgement = Judge(new UpdateState(), OnOld(SlotState.Empty, version: null));

        Assert.Equal((BootOutcome.Nothing, EnginePhase.Idle), (judgement.Outcome, judgement.State.Phase));
        Assert.Null(judgement.Pending);
    }

    [Fact]
    public void AnInterruptedInstallation_GoesOn()
    {
        var state = new UpdateState { Phase = EnginePhase.Downloading, Request = new InstallRequest { Version = "1.1" } };

        var judgement = Judge(state, OnOld(SlotState.Empty, version: null) with { Trial = Record });

        Assert.Equal(BootOutcome.GoOn, judgement.Outcome);
        Assert.Equal(state, judgement.State);
    }

    [Fact]
    public void ARestartOfTheSupervisorAlone_LeavesTheVersionWaiting()
    {
        var judgement = Judge(Installed, OnOld(SlotState.Trial) with { BootId = "boot-1" });

        Assert.Equal(BootOutcome.Wait, judgement.Outcome);
        Assert.Equal(Installed, judgement.State);
    }

    [Fact]
    public void TheNewVersionRuns_ItsVerdictIsWaitedFor()
    {
        var judgement = Judge(Installed, OnNew(BootState.Trial));

        Assert.Equal((BootOutcome.Judge, EnginePhase.Probation), (judgement.Outcome, judgement.State.Phase));
        Assert.Equal("boot-2", Assert.Single(judgement.Pending!.Boots).BootId);
        Assert.Equal(judgement.Pending, judgement.State.Pending);
    }

    [Fact]
    public void TheNewVersionRunsAgain_ItsBootsAreCounted_TheSameBootOnce()
    {
        var first = Judge(Installed, OnNew(BootState.Trial)).State;
        var noted = first with { Pending = first.Pending! with { Boots = [first.Pending.Boots[0] with { Failures = ["web: refused"] }] } };

        var sameBoot = Judge(noted, OnNew(BootState.Trial));
        var nextBoot = Judge(noted, OnNew(BootState.Trial) with { BootId = "boot-3" });

        Assert.Equal("web: refused", Assert.Single(Assert.Single(sameBoot.Pending!.Boots).Failures)); // what was noted is not lost
        Assert.Equal(["boot-2", "boot-3"], nextBoot.Pending!.Boots.Select(boot => boot.BootId));
        Assert.Equal(BootOutcome.Judge, nextBoot.Outcome);
    }

    [Fact]
    public void TheNewVersionRuns_AndIsNotCountedAnyMore_ItIsKept()
    {
        var judgement = Judge(Installed, OnNew(BootState.Good));

        Assert.Equal((BootOutcome.Commit, EnginePhase.Probation), (judgement.Outcome, judgement.State.Phase));
    }

    [Fact]
    public void TheNewVersionRuns_AndNobodyKnowsWhetherItIsCounted_ItIsNotKeptUnjudged() =>
        Assert.Equal(BootOutcome.Judge, Judge(Installed, OnNew(BootState.Unknown)).Outcome);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SomebodyGaveItUp_AndItRunsOrWaitsAllTheSame_ThatIsBroughtToItsEnd(bool runs)
    {
        var state = Installed with { Pending = Pending with { GivenUp = "ada went back from it" } };

        Assert.Equal(BootOutcome.GivenUp, Judge(state, runs ? OnNew(BootState.Trial) : OnOld(SlotState.Trial) with { BootId = "boot-1" }).Outcome);
        Assert.Equal(BootOutcome.GivenUp, Judge(state, runs ? OnNew(BootState.Good) : OnOld(SlotState.Bad) with { BootId = "boot-1" }).Outcome);
        Assert.Equal("ada went back from it", AssertRolledBack(Judge(state, OnOld(SlotState.Trial))).Reason);
    }

    [Fact]
    public void TheNewVersionRuns_TheSlotsNeedNotBeKnown() =>
        Assert.Equal(BootOutcome.Judge, Judge(Installed, OnNew(BootState.Trial) with { Slots = null }).Outcome);

    [Fact]
    public void ItWasUnhealthy_TheChecksAreTheReason()
    {
        var failed = AssertRolledBack(Judge(Tried([], ["web: refused", "db: not there"]), OnOld(SlotState.Bad)));

        Assert.Equal("it was not healthy: web: refused; db: not there", failed.Reason);
        Assert.Equal(["web: refused", "db: not there"], failed.Failures);
    }

    [Theory]
    [InlineData(1, "it came up once and went down")]
    [InlineData(2, "it came up twice and went down")]
    [InlineData(3, "it came up 3 times and went down")]
    public void ItCameUp_AndThereWasNoVerdict_TheReasonSaysHowOften(int boots, string reason) =>
        Assert.StartsWith(reason, AssertRolledBack(Judge(Tried([.. Enumerable.Repeat(Array.Empty<string>(), boots)]), OnOld(SlotState.Bad))).Reason, StringComparison.Ordinal);

    [Theory]
    [InlineData(nameof(SlotState.Bad), 3, "it was started 3 times and never came as far as the supervisor")]
    [InlineData(nameof(SlotState.Bad), 0, "it was started once and never came as far as the supervisor")] // a loader that keeps no count
    [InlineData(nameof(SlotState.Trial), 1, "it was started once and never came as far as the supervisor")] // somebody chose the old one in the menu
    public void ItNeverCameAsFarAsTheSupervisor_TheReasonSaysSo(string slot, int triesDone, string reason)
    {
        var failed = AssertRolledBack(Judge(Installed, OnOld(Enum.Parse<SlotState>(slot), triesDone)));

        Assert.StartsWith(reason, failed.Reason, StringComparison.Ordinal);
        Assert.Empty(failed.Failures);
    }

    [Fact]
    public void SomebodyGaveItUp_ThatIsTheReason_WhateverItsChecksSaid()
    {
        var state = Tried(["web: refused"]);

        var failed = AssertRolledBack(Judge(state with { Pending = state.Pending! with { GivenUp = "an operator went back from it" } }, OnOld(SlotState.Bad)));

        Assert.Equal("an operator went back from it", failed.Reason);
    }

    [Theory]
    [InlineData(nameof(SlotState.Trial), "1.2")]
    [InlineData(nameof(SlotState.Empty), null)]
    public void ItIsNotInItsSlotAnyMore_ItIsGivenUp(string slot, string? version) =>
        Assert.Equal("it is not in its slot any more", AssertRolledBack(Judge(Installed, OnOld(Enum.Parse<SlotState>(slot), version: version))).Reason);

    [Fact]
    public void TheBootLoaderDoesNotTryIt_ThreeBootsAreWaited()
    {
        var state = Installed;
        for (var boot = 2; boot < 4; boot++)
        {
            var waiting = Judge(state, OnOld(SlotState.Trial) with { BootId = $"boot-{boot}" });
            Assert.Equal((BootOutcome.Wait, EnginePhase.Installed, boot - 1), (waiting.Outcome, waiting.State.Phase, waiting.State.Pending!.NotTried));
            // The same boot is not counted twice.
            Assert.Equal(waiting.State, Judge(waiting.State, OnOld(SlotState.Trial) with { BootId = $"boot-{boot}" }).State);
            state = waiting.State;
        }

        var failed = AssertRolledBack(Judge(state, OnOld(SlotState.Trial) with { BootId = "boot-4" }));

        Assert.Equal("the boot loader did not start it", failed.Reason);
    }

    [Fact]
    public void ARollback_IsInTheHistory_WithTheVersionThatRuns()
    {
        var at = DateTimeOffset.UnixEpoch.AddDays(1);
        var time = new Health.ManualTime();
        time.JumpClock(TimeSpan.FromDays(1));

        var state = new BootReview(time).Judge(Tried(["web: refused"]), OnOld(SlotState.Bad)).State;

        Assert.Equal(new HistoryEntry(at, "rolledBack", "1.1", "1.0", "it was not healthy: web: refused"), Assert.Single(state.History));
        Assert.Equal(at, Assert.Single(state.Failed).At);
    }

    [Fact]
    public void AVersionThatFailsAgain_IsListedOnce()
    {
        var state = Installed with { Failed = [new FailedVersion { Version = "1.1", Reason = "first" }, new FailedVersion { Version = "0.9", Reason = "long ago" }] };

        var failed = Judge(state, OnOld(SlotState.Bad)).State.Failed;

        Assert.Equal(["0.9", "1.1"], failed.Select(version => version.Version));
        Assert.NotEqual("first", failed[1].Reason);
    }

    [Theory]
    [InlineData(nameof(EnginePhase.Idle))]
    [InlineData(nameof(EnginePhase.Downloading))]
    public void TheStateDoesNotKnowOfIt_AndItRuns_TheRecordTells(string phaseName)
    {
        var phase = Enum.Parse<EnginePhase>(phaseName);
        var state = new UpdateState { Phase = phase, Request = phase == EnginePhase.Idle ? null : new InstallRequest { Version = "1.1", Reboot = true } };

        var judgement = Judge(state, OnNew(BootState.Trial) with { Trial = Record });

        Assert.Equal((BootOutcome.Judge, EnginePhase.Probation), (judgement.Outcome, judgement.State.Phase));
        Assert.Equal(("1.1", "1.0", "b", "boot-1"), (judgement.Pending!.Version, judgement.Pending.From, judgement.Pending.Slot, judgement.Pending.InstalledBy));
        Assert.Null(judgement.State.Request);
    }

    [Fact]
    public void TheStateDoesNotKnowOfIt_AndItWasTriedAndIsGone_TheRecordTells() =>
        Assert.StartsWith("it was started 3 times", AssertRolledBack(Judge(new UpdateState(), OnOld(SlotState.Bad, triesDone: 3) with { Trial = Record })).Reason, StringComparison.Ordinal);

    [Fact]
    public void TheStateDoesNotKnowOfIt_AndItIsWhole_ItWaits()
    {
        var judgement = Judge(new UpdateState { Phase = EnginePhase.Downloading, Request = new InstallRequest { Version = "1.1", Reboot = false } }, OnOld(SlotState.Trial) with { Trial = Record });

        Assert.Equal((BootOutcome.Wait, EnginePhase.Installed), (judgement.Outcome, judgement.State.Phase));
        Assert.False(judgement.Pending!.Reboot); // what was asked for still holds
    }

    [Fact]
    public void TheRecordOfAnInstallationThatIsNotOver_IsNoTrial()
    {
        var state = new UpdateState { Phase = EnginePhase.Downloading, Request = new InstallRequest { Version = "1.1" } };

        Assert.Equal(BootOutcome.GoOn, Judge(state, OnOld(SlotState.Trial) with { BootId = "boot-1", Trial = Record }).Outcome);
    }

    [Fact]
    public void AVersionKnownToHaveFailed_WhoseRecordIsLeft_IsTidiedUp()
    {
        var state = new UpdateState { Failed = [new FailedVersion { Version = "1.1", Reason = "it was not healthy: web" }] };

        var judgement = Judge(state, OnOld(SlotState.Bad) with { Trial = Record });

        Assert.Equal(BootOutcome.TidyUp, judgement.Outcome);
        Assert.Equal(state, judgement.State); // its reason is not overwritten
    }

    [Fact]
    public void ARecordWhoseVersionIsInNoSlot_IsTidiedUp() =>
        Assert.Equal(BootOutcome.TidyUp, Judge(new UpdateState(), OnOld(SlotState.Empty, version: null) with { Trial = Record }).Outcome);

    [Fact]
    public void ARecordOfThisBoot_IsNotTidiedUp() =>
        Assert.Equal(BootOutcome.Nothing, Judge(new UpdateState(), OnOld(SlotState.Empty, version: null) with { BootId = "boot-1", Trial = Record }).Outcome);

    /// <summary>Boot control refuses this; should one ever allow it, the boot after it is judged like any other.</summary>
    [Fact]
    public void AVersionInstalledOverItself_IsOnTrialAfterTheRestart()
    {
        var state = Installed with { Pending = Pending with { From = "1.1" } };

        var judgement = Judge(state, OnNew(BootState.Trial) with { Trial = Record with { From = "1.1" } });

        Assert.Equal((BootOutcome.Judge, "1.1"), (judgement.Outcome, judgement.Pending!.From));
    }

    [Fact]
    public void AVersionInstalledOverItself_IsNotOnTrialInTheBootThatInstalledIt()
    {
        var facts = OnNew(BootState.Good);
        var state = Installed with { Pending = Pending with { From = "1.1", InstalledBy = facts.BootId } };
        var record = Record with { From = "1.1", InstalledBy = facts.BootId };

        Assert.Equal(BootOutcome.Wait, Judge(state, facts with { Trial = record }).Outcome);
        Assert.Equal(BootOutcome.Nothing, Judge(new UpdateState(), facts with { Trial = record }).Outcome);
    }

    private static BootJudgement Judge(UpdateState state, BootFacts facts) => new BootReview(TimeProvider.System).Judge(state, facts);

    private static FailedVersion AssertRolledBack(BootJudgement judgement)
    {
        Assert.Equal((BootOutcome.RolledBack, EnginePhase.Idle), (judgement.Outcome, judgement.State.Phase));
        Assert.Null(judgement.State.Pending);
        Assert.Equal("1.1", judgement.Pending!.Version);
        var failed = Assert.Single(judgement.State.Failed);
        Assert.Equal(("rolledBack", "1.1", failed.Reason), (judgement.State.History[^1].Outcome, judgement.State.History[^1].Version, judgement.State.History[^1].Detail));
        Assert.Equal("1.1", failed.Version);
        return failed;
    }

    /// <summary>The state after boots of 1.1, each with what failed in it.</summary>
    private static UpdateState Tried(params string[][] boots) => new()
    {
        Phase = EnginePhase.Probation,
        Pending = Pending with { Boots = boots.Select((failures, i) => new TrialBoot($"boot-{i + 2}", DateTimeOffset.UnixEpoch, failures)).ToList() },
    };

    private static BootFacts OnOld(SlotState other, int triesDone = 0, string? version = "1.1") => new("1.0", "boot-9", BootState.Good,
    [
        new SlotStatus { Name = "a", Running = true, State = SlotState.Good, Version = "1.0" },
        new SlotStatus { Name = "b", Running = false, State = other, Version = version, TriesDone = triesDone },
    ], null);

    private static BootFacts OnNew(BootState boot) => new("1.1", "boot-2", boot,
    [
        new SlotStatus { Name = "a", Running = false, State = SlotState.Good, Version = "1.0" },
        new SlotStatus { Name = "b", Running = true, State = boot == BootState.Trial ? SlotState.Trial : SlotState.Good, Version = "1.1" },
    ], null);
}
