using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Supervisor.Tests.Health;

namespace Supervisor.Tests.Updates;

/// <summary>What the device does without being asked, by a clock that the test moves.</summary>
public sealed class UpdateScheduleTests : IAsyncDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1), Minute = TimeSpan.FromMinutes(1);
    private static readonly UpdateSettings Polling = new() { Url = "https://updates.example", Check = TimeSpan.FromHours(1) };

    private readonly UpdateWorld _world = new();
    private readonly UtcTime _time = new();
    private UpdateEngine _engine = null!;
    private UpdateSchedule? _schedule;

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _world.Dispose();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private int Looks => Count(WorkerVerb.Check);

    [Fact]
    public async Task WithoutARepository_NobodyLooks()
    {
        await StartAsync(new UpdateSettings());

        await AdvanceAsync(TimeSpan.FromHours(5));

        Assert.Null(_schedule!.NextLook);
        Assert.Equal(0, Looks);
    }

    /// <summary>The daemon is ready when its services have started, and systemd waits 90 s for that.</summary>
    [Fact]
    public async Task HooksAfterARollback_HoldUpJobs_AndNotTheStart()
    {
        await StartAsync(new UpdateSettings());
        await _engine.Install(new InstallRequest()).Work.WaitAsync(Token);
        await StopAsync();
        _world.Boot();
        _world["b"].State = SlotState.Bad;
        _world.Boot();
        _world.Hooks = new(TaskCreationOptions.RunContinuationsAsynchronously);

        await BeginAsync(new UpdateSettings());

        await ComesTrueAsync(() => Count(WorkerVerb.GiveUp) == 1, "the hooks");
        Assert.Equal("1.1", Assert.Single(_engine.State.Failed).Version);
        Assert.Contains("its hooks still run", Assert.Throws<UserError>(() => _engine.Check(new InstallRequest())).Message, StringComparison.Ordinal);
        Assert.NotNull(_world.ReadTrial());
        _world.Hooks.SetResult();
        await Eventually.IsTrueAsync(() => _world.ReadTrial() is null, "the end of the hooks");
        await Eventually.IsTrueAsync(() => { try { return _engine.Check(new InstallRequest()) is not null; } catch (UserError) { return false; } }, "a job");
    }

    [Fact]
    public async Task TheFirstLook_IsOneToThreeMinutesAfterTheStart_AndNotAtTheSameMoment()
    {
        var moments = new HashSet<DateTimeOffset>();
        for (var device = 0; device < 20; device++)
        {
            await StartAsync(Polling);
            var first = _schedule!.NextLook!.Value - _time.GetUtcNow();
            Assert.InRange(first, Minute, 3 * Minute);
            moments.Add(_schedule!.NextLook.Value);
            await StopAsync();
        }
        Assert.True(moments.Count > 15);
    }

    [Fact]
    public async Task LaterLooks_AreDrawnAroundThePause()
    {
        _world.Offered = "1.0";
        await StartAsync(Polling);

        for (var look = 1; look <= 10; look++)
        {
            await AdvanceToLookAsync();
            await ComesTrueAsync(() => Looks == look, $"look {look}");
            await Eventually.IsTrueAsync(() => _engine.Job!.View.State != JobState.Running, $"the end of look {look}");
            Assert.InRange(_schedule!.NextLook!.Value - _time.GetUtcNow(), TimeSpan.FromMinutes(47), TimeSpan.FromMinutes(72));
        }
    }

    [Fact]
    public async Task ALookThatOnlyLooks_InstallsNothing()
    {
        await StartAsync(Polling with { Install = false });

        await AdvanceToLookAsync();

        await ComesTrueAsync(() => _engine.State.LastCheck?.Verdict == "available", "the look");
        Assert.Equal(0, Count(WorkerVerb.Install));
    }

    [Fact]
    public async Task WithoutWindows_AVersionIsInstalled_AndStartedAtOnce()
    {
        await StartAsync(Polling);

        await AdvanceToLookAsync();

        await ComesTrueAsync(() => _world.Restarts == 1, "the restart");
    }

    [Fact]
    public async Task WithAWindow_TheRestartWaitsForIt()
    {
        await StartAsync(Polling with { Windows = ["02:00-04:00", "nonsense"] }); // the clock begins at midnight
        await AdvanceToLookAsync();
        await ComesTrueAsync(() => _engine.State.Phase == EnginePhase.Installed, "the installation");

        Assert.Equal(DateTimeOffset.UnixEpoch.AddHours(2), _schedule!.NextWindow);
        await AdvanceAsync(TimeSpan.FromHours(2) - _time.Elapsed - Minute);
        Assert.Equal(0, _world.Restarts);

        await AdvanceAsync(2 * Minute);

        await ComesTrueAsync(() => _world.Restarts == 1, "the restart");
        Assert.Equal(_time.GetUtcNow(), _schedule!.NextWindow); // it is open
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task WhatWasAskedFor_CountsMoreThanWindowsAndSettings(bool reboot, int restarts)
    {
        await StartAsync(new UpdateSettings { Windows = reboot ? ["02:00-04:00"] : [], Reboot = !reboot });

        await _engine.Install(new InstallRequest { Reboot = reboot }).Work.WaitAsync(Token);
        await AdvanceAsync(TimeSpan.FromMinutes(5));

        await Eventually.IsTrueAsync(() => _world.Restarts == restarts, "the restart, or none");
    }

    [Fact]
    public async Task SettingsWithoutARestart_WaitForSomebody()
    {
        await StartAsync(Polling with { Reboot = false });
        await AdvanceToLookAsync();
        await ComesTrueAsync(() => _engine.State.Phase == EnginePhase.Installed, "the installation");

        await AdvanceAsync(TimeSpan.FromHours(30));

        Assert.Equal(0, _world.Restarts);
    }

    [Fact]
    public async Task Inhibitors_AreAskedAgainAMinuteLater()
    {
        _world.Inhibitors.Add("backup: a backup runs");
        await StartAsync(new UpdateSettings());
        await _engine.Install(new InstallRequest()).Work.WaitAsync(Token);
        await Eventually.IsTrueAsync(() => Count(WorkerVerb.Reboot) == 1, "the first attempt");

        await AdvanceAsync(50 * Second);
        Assert.Equal(1, Count(WorkerVerb.Reboot));

        _world.Inhibitors.Clear();
        await AdvanceAsync(20 * Second);
        await ComesTrueAsync(() => _world.Restarts == 1, "the restart");
    }

    [Fact]
    public async Task ARestartThatFails_IsTriedAgainAMinuteLater_NotEverySecond()
    {
        _world.RebootError = new UserError("The hook /etc/appliance/hooks/pre-reboot.d/10-drain failed with exit code 1.");
        await StartAsync(new UpdateSettings());
        await _engine.Install(new InstallRequest()).Work.WaitAsync(Token);
        await Eventually.IsTrueAsync(() => Count(WorkerVerb.Reboot) == 1, "the first attempt");

        await AdvanceAsync(50 * Second);
        Assert.Equal(1, Count(WorkerVerb.Reboot));

        _world.RebootError = null;
        await AdvanceAsync(20 * Second);
        await ComesTrueAsync(() => _world.Restarts == 1, "the restart");
    }

    /// <summary>Trap 4 of the field: a device without a battery starts in the past, or far in the future, and is set right later.</summary>
    [Theory]
    [InlineData(20 * 365)]
    [InlineData(-20 * 365)]
    public async Task AClockThatIsSetRight_MovesNoLook(int days)
    {
        await StartAsync(Polling);
        var pause = _schedule!.NextLook!.Value - _time.GetUtcNow();

        _time.JumpClock(TimeSpan.FromDays(days));

        Assert.Equal(pause, _schedule!.NextLook!.Value - _time.GetUtcNow());
        await AdvanceAsync(pause - Second);
        Assert.Equal(0, Looks);
        await AdvanceAsync(2 * Second);
        await ComesTrueAsync(() => Looks > 0, "the look");
    }

    [Fact]
    public async Task AnInterruptedInstallation_GoesOnByItself()
    {
        _world.Pause = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await StartAsync(new UpdateSettings { Reboot = false });
        var job = _engine.Install(new InstallRequest());
        await _world.Paused.Task.WaitAsync(Token);

        await StopAsync();
        await job.Work.WaitAsync(Token);
        _world.Pause = null;
        await StartAsync(new UpdateSettings { Reboot = false });

        await Eventually.IsTrueAsync(() => _engine.State.Phase == EnginePhase.Installed, "the installation");
        Assert.Equal("installed", Assert.Single(_engine.State.History).Outcome);
    }

    [Fact]
    public async Task ATrialThatWasBlessed_IsKept_ThoughNobodySawTheBlessing()
    {
        await StartAsync(new UpdateSettings());
        await _engine.Install(new InstallRequest()).Work.WaitAsync(Token);
        await StopAsync();
        _world.Boot();
        await StartAsync(new UpdateSettings());
        await Eventually.IsTrueAsync(() => _engine.State.Phase == EnginePhase.Probation, "the trial");

        _world.Bless();
        await AdvanceAsync(TimeSpan.FromMinutes(16));

        await ComesTrueAsync(() => _engine.State.Phase == EnginePhase.Idle, "the commit");
        Assert.Equal(SlotState.Good, _world["b"].State);
    }

    /// <summary>Also where the boot loader calls the boot good by now.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AGivingUpWhoseRestartWaits_IsAskedForAgainAMinuteLater(bool blessed)
    {
        await StartAsync(new UpdateSettings());
        await _engine.Install(new InstallRequest()).Work.WaitAsync(Token);
        await StopAsync();
        _world.Boot();
        await StartAsync(new UpdateSettings());
        _world.Inhibitors.Add("backup: a backup runs");
        Assert.NotEmpty(await _engine.RollbackAsync("ada", force: false, Token));
        if (blessed) _engine.NoteBlessed();
        await SettleAsync();

        _world.Inhibitors.Clear();

        await ComesTrueAsync(() => _world.RebootAsked, "the restart");
        Assert.Equal((EnginePhase.Probation, SlotState.Bad), (_engine.State.Phase, _world["b"].State));
    }

    [Fact]
    public async Task ACommitThatFails_IsTriedAgainAMinuteLater()
    {
        await StartAsync(new UpdateSettings());
        await _engine.Install(new InstallRequest()).Work.WaitAsync(Token);
        await StopAsync();
        _world.Boot();
        _world.Bless();
        _world.CommitError = new WorkerException("no space left on device");
        await StartAsync(new UpdateSettings());
        await Eventually.IsTrueAsync(() => Count(WorkerVerb.Commit) > 0, "the first attempt");
        Assert.Equal(EnginePhase.Probation, _engine.State.Phase);

        _world.CommitError = null;
        await AdvanceAsync(Minute + Second);

        await ComesTrueAsync(() => _engine.State.Phase == EnginePhase.Idle, "the commit");
    }

    private async Task StartAsync(UpdateSettings settings)
    {
        await BeginAsync(settings);
        await SettleAsync();
    }

    private async Task BeginAsync(UpdateSettings settings)
    {
        if (_world.BootId == "boot-0") _world.Boot();
        _engine = _world.NewEngine(_time);
        _schedule = new UpdateSchedule(_engine, _world, settings, _time);
        await _schedule.StartAsync(Token);
    }

    private async Task StopAsync()
    {
        if (_schedule is null) return;
        await _schedule.StopAsync(CancellationToken.None);
        _schedule.Dispose();
        _schedule = null;
        if (_engine.Job is { } job) await job.Work; // it writes into the world's folder
        _engine.Dispose();
    }

    private Task AdvanceToLookAsync() => AdvanceAsync(_schedule!.NextLook!.Value - _time.GetUtcNow() + Second);

    /// <summary>In steps, after each of which the schedule sleeps again: as time passes.</summary>
    private async Task AdvanceAsync(TimeSpan time)
    {
        for (var step = TimeSpan.FromMinutes(5); time > TimeSpan.Zero; time -= step)
        {
            _time.Advance(time < step ? time : step);
            await SettleAsync();
        }
    }

    /// <summary>Time passes on until then: a schedule that fell asleep while the clock was moved wakes that much late.</summary>
    private Task ComesTrueAsync(Func<bool> condition, string what) => Eventually.IsTrueAsync(() =>
    {
        if (condition()) return true;
        _time.Advance(5 * Second);
        return false;
    }, what);

    /// <summary>The schedule has done what was due, and waits for the clock.</summary>
    private Task SettleAsync() => Eventually.IsTrueAsync(() => _time.Alarms > 0, "rest");

    private int Count(WorkerVerb verb)
    {
        lock (_world.Requests) return _world.Requests.Count(request => request.Verb == verb);
    }

    /// <summary>Local time is UTC, and whether somebody waits for the clock can be seen.</summary>
    private sealed class UtcTime : TimeProvider
    {
        private readonly ManualTime _inner = new();
        private int _alarms;

        public int Alarms => Volatile.Read(ref _alarms);
        public TimeSpan Elapsed => TimeSpan.FromTicks(_inner.GetTimestamp());
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;
        public override long TimestampFrequency => _inner.TimestampFrequency;
        public override long GetTimestamp() => _inner.GetTimestamp();
        public override DateTimeOffset GetUtcNow() => _inner.GetUtcNow();
        public void JumpClock(TimeSpan by) => _inner.JumpClock(by);
        public void Advance(TimeSpan by) => _inner.Advance(by);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref _alarms);
            return new Counted(this, _inner.CreateTimer(callback, state, dueTime, period));
        }

        private sealed class Counted(UtcTime time, ITimer inner) : ITimer
        {
            private int _gone;

            public bool Change(TimeSpan dueTime, TimeSpan period) => inner.Change(dueTime, period);

            public void Dispose()
            {
                if (Interlocked.Exchange(ref _gone, 1) == 0) Interlocked.Decrement(ref time._alarms);
                inner.Dispose();
            }

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
