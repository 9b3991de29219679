using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;

namespace Supervisor.Tests.Updates;

/// <summary>The power goes at every step of an update in turn; the device goes on by itself from there.</summary>
public sealed class EngineCrashTests
{
    private const int MostBoots = 20;

    [Fact]
    public async Task AGoodVersion_IsKeptInTheEnd_WhereverThePowerGoes()
    {
        for (var cut = 0; ; cut++)
        {
            using var world = new UpdateWorld { CutAt = cut };
            await RunAsync(world);

            Assert.Equal("1.1", world.Version);
            Assert.Equal(SlotState.Good, world["b"].State);
            Assert.Equal("1.0", world["a"].Version);
            AssertAtRest(world, state => Assert.Empty(state.Failed));
            if (cut > 0 && !world.WasCut) return; // every step had its turn
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ABadVersion_IsGoneFromInTheEnd_AndNotTakenAgain_WhereverThePowerGoes(bool panics)
    {
        for (var cut = 0; ; cut++)
        {
            using var world = new UpdateWorld { CutAt = cut };
            (panics ? world.Panicking : world.Unhealthy).Add("1.1");
            await RunAsync(world);

            Assert.Equal("1.0", world.Version);
            Assert.Equal(SlotState.Good, world["a"].State);
            Assert.NotEqual(SlotState.Trial, world["b"].State);
            AssertAtRest(world, state => Assert.Equal("1.1", Assert.Single(state.Failed).Version));
            if (cut > 0 && !world.WasCut) return;
        }
    }

    /// <summary>The operator goes back from a version that was kept. Either that happened or it did not; never is it taken again.</summary>
    [Fact]
    public async Task ARollbackByAnOperator_IsNeverForgotten_WhereverThePowerGoes()
    {
        for (var cut = 1; ; cut++)
        {
            using var world = new UpdateWorld();
            await RunAsync(world);
            world.CutAt = world.Steps + cut;
            try
            {
                using var engine = world.NewEngine();
                await engine.RollbackAsync("ada", force: false, TestContext.Current.CancellationToken);
            }
            catch (PowerCutException)
            {
                // Whatever it had done by then, the device goes on from there.
            }
            await RunAsync(world);

            if (world.Version == "1.0") AssertAtRest(world, state => Assert.Equal("ada went back from it", Assert.Single(state.Failed).Reason));
            else AssertAtRest(world, state =>
            {
                Assert.Equal("1.1", world.Version);
                Assert.Empty(state.Failed);
            });
            Assert.Equal(SlotState.Good, world["a"].State);
            if (!world.WasCut) return;
        }
    }

    /// <summary>The operator goes back from a version on trial, or gives up one that waits. Once that is noted it happens, whatever its checks say.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AVersionThatAnOperatorGivesUp_BeforeItsVerdict_IsGivenUpOrKept_WhereverThePowerGoes(bool onTrial)
    {
        for (var cut = 1; ; cut++)
        {
            using var world = new UpdateWorld();
            world.Boot();
            using (var engine = world.NewEngine())
            {
                await engine.ReviewBootAsync(TestContext.Current.CancellationToken);
                await engine.Install(new InstallRequest { Reboot = false }).Work;
            }
            if (onTrial) world.Boot();
            var noted = false;
            world.CutAt = world.Steps + cut;
            try
            {
                using var engine = world.NewEngine();
                await engine.ReviewBootAsync(TestContext.Current.CancellationToken);
                await engine.FollowUpAsync(TestContext.Current.CancellationToken);
                engine.Changed += () => noted |= engine.State.Pending?.GivenUp is not null;
                if (onTrial) await engine.RollbackAsync("ada", force: false, TestContext.Current.CancellationToken);
                else await engine.MarkBadAsync("b", "ada", TestContext.Current.CancellationToken);
            }
            catch (PowerCutException)
            {
                // The device goes on from there.
            }
            await RunAsync(world);

            if (noted) Assert.Equal("1.0", world.Version);
            if (world.Version == "1.0") AssertAtRest(world, state => Assert.StartsWith("ada ", Assert.Single(state.Failed).Reason, StringComparison.Ordinal));
            else AssertAtRest(world, state => Assert.Empty(state.Failed));
            Assert.Equal(SlotState.Good, world.Running.State);
            if (!world.WasCut) return;
        }
    }

    /// <summary>While a version waits for its restart a newer one comes: what boots is always one of which is known that it is on trial.</summary>
    [Fact]
    public async Task AVersionThatReplacesOneThatWaits_IsKeptInTheEnd_WhereverThePowerGoes()
    {
        for (var cut = 1; ; cut++)
        {
            using var world = new UpdateWorld();
            world.Boot();
            try
            {
                using var engine = world.NewEngine();
                await engine.ReviewBootAsync(TestContext.Current.CancellationToken);
                await engine.Install(new InstallRequest { Reboot = false }).Work;
                world.Offered = "1.2";
                world.CutAt = world.Steps + cut;
                await engine.Install(new InstallRequest { Reboot = false }).Work;
            }
            catch (PowerCutException)
            {
                // The device goes on from there.
            }
            await RunAsync(world);

            Assert.Equal(("1.2", SlotState.Good), (world.Version, world.Running.State));
            AssertAtRest(world, state => Assert.Empty(state.Failed));
            if (!world.WasCut) return;
        }
    }

    /// <summary>Boots and lets the engine work until nothing is left to do; a cut ends a boot wherever it is.</summary>
    private static async Task RunAsync(UpdateWorld world)
    {
        for (var boot = 0; boot < MostBoots; boot++)
        {
            world.Boot();
            try
            {
                if (await RunBootAsync(world)) return;
            }
            catch (PowerCutException)
            {
                world.EndBoot();
            }
        }
        Assert.Fail("the device does not come to rest");
    }

    /// <summary>What the daemon does in one boot; true when there is nothing left to do.</summary>
    private static async Task<bool> RunBootAsync(UpdateWorld world)
    {
        using var engine = world.NewEngine();
        var outcome = await engine.ReviewBootAsync(TestContext.Current.CancellationToken);
        await engine.FollowUpAsync(TestContext.Current.CancellationToken);
        if (world.RebootAsked) return false;
        if (outcome == BootOutcome.Judge)
        {
            var verdict = world.Verdict();
            engine.NoteVerdict(verdict);
            if (verdict.State == HealthState.Unhealthy)
            {
                world.EndBoot();
                return false;
            }
            world.Bless();
            await engine.CommitAsync(TestContext.Current.CancellationToken);
        }
        var job = outcome == BootOutcome.GoOn ? engine.GoOn() : engine.State.Phase == EnginePhase.Idle ? engine.Install(new InstallRequest()) : null;
        if (job is not null) await job.Work;
        if (engine.State.Phase != EnginePhase.Installed) return !world.WasCut || job?.View.State != JobState.Running;
        await engine.RebootAsync(force: false, TestContext.Current.CancellationToken);
        return false;
    }

    private static void AssertAtRest(UpdateWorld world, Action<UpdateState> more)
    {
        using var engine = world.NewEngine();
        Assert.Equal(EnginePhase.Idle, engine.State.Phase);
        Assert.Null(engine.State.Pending);
        Assert.Null(engine.State.Request);
        Assert.Null(world.ReadTrial());
        more(engine.State);
    }
}
