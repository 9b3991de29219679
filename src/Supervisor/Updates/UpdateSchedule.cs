using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>Acts without being asked: goes on after an interruption, looks for versions, restarts in a window, keeps what is blessed.</summary>
internal sealed class UpdateSchedule(UpdateEngine engine, IDeviceBoot device, UpdateSettings settings, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMinutes(2), Retry = TimeSpan.FromMinutes(1), RestartLimit = TimeSpan.FromMinutes(10), LongestSleep = TimeSpan.FromMinutes(15);

    private readonly MaintenanceWindows _windows = new(settings.Windows);
    private readonly WakeableSleep _sleep = new(time);
    private readonly long _start = time.GetTimestamp();
    // By what measures time and not by the clock, which a device without a battery sets only later, and perhaps back.
    private TimeSpan _nextLook, _nextRestart;
    private bool _reviewed;
    private UpdateJob? _look;

    /// <summary>When the repository is looked into next, or null when nobody does.</summary>
    public DateTimeOffset? NextLook => settings.Url is null ? null : time.GetUtcNow() + (_nextLook - Now);

    private TimeSpan Now => time.GetElapsedTime(_start);

    /// <summary>When an installed version may be started next.</summary>
    public DateTimeOffset NextWindow
    {
        get
        {
            var now = time.GetLocalNow();
            return new DateTimeOffset(_windows.NextOpening(now.DateTime), now.Offset);
        }
    }

    /// <summary>Finds out what this boot means before any check of this boot can end.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await ReviewAsync(cancellationToken);
        // All devices of a site come up together after a power cut; their looks do not.
        _nextLook = Now + ((settings.Check < FirstLook ? settings.Check : FirstLook) * (0.5 + Random.Shared.NextDouble()));
        engine.Changed += _sleep.Wake;
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ActAsync(stoppingToken);
            }
            catch (Exception e) when (e is UserError or WorkerException or IOException or UnauthorizedAccessException)
            {
                Log.Warning("The schedule could not do what is due: {Reason}", e.Message);
            }
            await SleepAsync(stoppingToken);
        }
    }

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        engine.Stop();
        return base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        engine.Changed -= _sleep.Wake;
        _sleep.Dispose();
        base.Dispose();
    }

    private async Task ReviewAsync(CancellationToken cancellationToken) => _reviewed = await engine.ReviewBootAsync(cancellationToken) != BootOutcome.Unknown;

    private async Task ActAsync(CancellationToken cancellationToken)
    {
        if (!_reviewed) await ReviewAsync(cancellationToken);
        if (!_reviewed) return;
        if (!engine.IsFollowedUp) await engine.FollowUpAsync(cancellationToken);
        var now = Now;
        // A look that gave way comes again soon, and not only in hours.
        if (_look is { GaveWay: true }) (_look, _nextLook) = (null, now + Retry);
        switch (engine.State)
        {
            case { Phase: EnginePhase.Downloading } when engine.Job?.View.State != JobState.Running:
                engine.GoOn();
                break;
            case { Pending.GivenUp: not null } when engine.IsGivingUp && now >= _nextRestart:
                _nextRestart = now + Retry;
                if (await engine.FinishGivingUpAsync(cancellationToken)) _nextRestart = now + RestartLimit;
                break;
            case { Phase: EnginePhase.Probation, Pending.GivenUp: null } when device.BootState == BootState.Good:
                await engine.CommitAsync(cancellationToken);
                break;
            case { Phase: EnginePhase.Installed, Pending: { GivenUp: null } pending } when now >= _nextRestart && MayRestart(pending) && engine.Job?.View.State != JobState.Running && !engine.Jobs.IsPaused:
                _nextRestart = now + Retry; // also when it fails: whoever makes it fail is not asked every second
                var inhibitors = await engine.RebootAsync(force: false, cancellationToken);
                if (inhibitors.Count > 0) Log.Warning("The restart into version {Version} waits for {Inhibitors}", pending.Version, string.Join("; ", inhibitors));
                else _nextRestart = now + RestartLimit;
                break;
            case { Phase: EnginePhase.Idle } when settings.Url is not null && now >= _nextLook && engine.Job?.View.State != JobState.Running:
                _nextLook = now + Retry; // where none may begin just now
                _look = settings.Install ? engine.Install(new InstallRequest()) : engine.Check(new InstallRequest());
                _nextLook = now + (settings.Check * (0.8 + (0.4 * Random.Shared.NextDouble())));
                break;
        }
    }

    private bool MayRestart(PendingUpdate pending) => pending.Reboot ?? (settings.Reboot && _windows.AreOpen(time.GetLocalNow().DateTime));

    /// <summary>When a version that waits is started, should nothing happen before that; null for not by itself.</summary>
    private TimeSpan? NextRestart(PendingUpdate pending)
    {
        if (!(pending.Reboot ?? settings.Reboot)) return null;
        var opening = pending.Reboot == true ? Now : Now + (NextWindow - time.GetUtcNow());
        return opening > _nextRestart ? opening : _nextRestart;
    }

    /// <summary>Sleeps until something is due, or something has changed.</summary>
    private async Task SleepAsync(CancellationToken cancellationToken)
    {
        var now = Now;
        var unfinished = !_reviewed || engine.IsGivingUp || (engine.State.Phase == EnginePhase.Probation && device.BootState == BootState.Good);
        var due = now + (unfinished ? Retry : LongestSleep);
        if (settings.Url is not null && engine.State.Phase == EnginePhase.Idle && _nextLook < due) due = _nextLook;
        if (_reviewed && engine.State is { Phase: EnginePhase.Installed, Pending: { GivenUp: null } pending } && NextRestart(pending) is { } restart && restart < due) due = restart;
        await _sleep.SleepAsync(due > now + TimeSpan.FromSeconds(1) ? due - now : TimeSpan.FromSeconds(1), cancellationToken);
    }
}
