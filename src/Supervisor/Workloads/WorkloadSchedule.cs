using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Workloads;

/// <summary>
/// Looks after workloads without being asked: applies what the image brings, goes on with what was interrupted, and follows the
/// releases of those that are here or that the image names.
/// </summary>
internal sealed class WorkloadSchedule(WorkloadUpdates workloads, UpdateEngine engine, UpdateSettings settings, ImageIdentity image, TimeProvider time) : BackgroundService
{
    /// <summary>The first look comes after that for the operating system.</summary>
    private static readonly TimeSpan FirstLook = TimeSpan.FromMinutes(3), Pace = TimeSpan.FromSeconds(10), Again = TimeSpan.FromMinutes(1), FirstPause = TimeSpan.FromSeconds(30), LongestPause = TimeSpan.FromMinutes(15), LongestLook = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, (TimeSpan Due, TimeSpan Pause)> _included = new(StringComparer.Ordinal);
    private long _start;
    private bool _ready;
    private TimeSpan _nextLook, _lookPause = Pace;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (image.WorkloadsEngine is "none" or "unknown") return;
        var known = false;
        var (resume, pause) = (TimeSpan.Zero, FirstPause);
        _start = time.GetTimestamp();
        var next = (settings.Check < FirstLook ? settings.Check : FirstLook) * (0.5 + Random.Shared.NextDouble());
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!known) known = await workloads.RefreshAsync(stoppingToken);
                if (await IsReadyAsync(stoppingToken) && known) await ApplyIncludedAsync();
                if (!workloads.IsInterrupted) pause = FirstPause;
                else if (engine.State.Phase != EnginePhase.Probation && Now >= resume)
                {
                    await workloads.Resume().Work;
                    pause = Longer(pause, LongestPause);
                    resume = Now + pause;
                }
                if (known && settings.Url is not null && engine.State.Phase == EnginePhase.Idle && Now >= next)
                {
                    var gaveWay = !await FollowAsync(stoppingToken);
                    next = Now + (gaveWay ? Again : settings.Check * (0.8 + (0.4 * Random.Shared.NextDouble())));
                }
            }
            catch (Exception e) when (e is UserError or WorkerException)
            {
                Log.Debug("Workloads have to wait: {Reason}", e.Message); // for another job, mostly
            }
            await Task.Delay(Pace, time, stoppingToken);
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_start);

    private static TimeSpan Longer(TimeSpan pause, TimeSpan longest) => pause * 2 < longest ? pause * 2 : longest;

    /// <summary>Asks until it was so once: then the node is taken back, too, that was drained for the last restart.</summary>
    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        if (_ready || Now < _nextLook) return _ready;
        var node = await workloads.ReadNodeAsync(cancellationToken);
        if (node.State != ReadinessState.Ready) Log.Debug("The workload engine is not ready: {Reason}", node.Message);
        // A node without an API of its own never is.
        _lookPause = Longer(_lookPause, LongestLook);
        _nextLook = Now + _lookPause;
        return _ready = node.State == ReadinessState.Ready;
    }

    /// <summary>What the image brings has its verdict once while the image is on trial; else it is tried again, ever more seldom.</summary>
    private async Task ApplyIncludedAsync()
    {
        var onTrial = engine.State.Phase == EnginePhase.Probation;
        foreach (var workload in workloads.Known)
        {
            var isDue = workload.Included is null ? workload.State.FromImage : !workloads.IsSettled(workload.Id) || (!workload.IsTheImages && !onTrial);
            var (due, pause) = _included.GetValueOrDefault(workload.Id, (TimeSpan.Zero, FirstPause));
            if (!isDue || Now < due) continue;
            await workloads.ApplyIncluded(workload.Id, UpdateJob.OfTheDevice, force: onTrial).Work;
            _included[workload.Id] = (Now + pause, onTrial ? FirstPause : Longer(pause, LongestPause));
        }
    }

    /// <summary>Looks for releases; false when somebody wanted something else done meanwhile.</summary>
    private async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        foreach (var id in workloads.Known.Where(workload => workload is { State.Current: not null, Included: null }).Select(workload => workload.Id).Union(settings.Workloads, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var look = settings.Install ? workloads.Apply(new WorkloadRequest { Id = id }) : workloads.Check(new WorkloadRequest { Id = id });
            await look.Work;
            if (look.GaveWay) return false;
        }
        return true;
    }
}
