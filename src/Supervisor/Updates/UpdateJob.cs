using Appliance.Supervisor.Worker;

namespace Appliance.Supervisor.Updates;

/// <summary>One piece of long work, as the surfaces show it.</summary>
internal sealed class UpdateJob : IProgress<WorkerProgress>, IDisposable
{
    /// <summary>Who asked for what the device does by itself.</summary>
    public const string OfTheDevice = "schedule";

    private readonly CancellationTokenSource _cancel;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private JobView _view;
    private bool _yields, _held;

    /// <summary>A job that is about to run.</summary>
    public UpdateJob(int id, string kind, string by, object? key, DateTimeOffset startedAt, CancellationToken stopping)
    {
        (Id, Key) = (id, key);
        _view = new JobView { Id = id, Kind = kind, State = JobState.Running, Phase = "starting", By = by, StartedAt = startedAt };
        _cancel = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Cancelled = _cancel.Token;
    }

    /// <summary>Raised with every change, from whatever thread made it.</summary>
    public event Action<UpdateJob>? Changed;

    /// <summary>Number, unique in the life of the daemon.</summary>
    public int Id { get; }

    /// <summary>What was asked for, as far as others may ask for the same; null for nothing that they may join.</summary>
    public object? Key { get; }

    /// <summary>The job's work; it never fails: how it ended is in <see cref="View"/>.</summary>
    public Task Work => _ended.Task;

    /// <summary>Set when somebody wants it to stop.</summary>
    public CancellationToken Cancelled { get; }

    /// <summary>Whether it was stopped because somebody wanted something else done.</summary>
    public bool GaveWay { get; private set; }

    /// <summary>Whether it failed in a way that may pass: a network, a server, our own worker. Set before its end is told.</summary>
    public bool MayPass { get; set; }

    /// <summary>Whether the device began it by itself.</summary>
    public bool IsOfTheDevice => _view.By == OfTheDevice;

    /// <summary>The present.</summary>
    public JobView View
    {
        get { lock (_lock) return _view; }
    }

    /// <summary>Asks it to stop.</summary>
    public void Cancel() => _cancel.Cancel();

    /// <summary>Its work is over.</summary>
    public void End() => _ended.SetResult();

    /// <summary>It only looks so far: where the device began it by itself and nobody waits for it, it gives way to whoever wants something.</summary>
    public void Yield()
    {
        lock (_lock) _yields = IsOfTheDevice && !_held;
    }

    /// <summary>From here on it changes something, or somebody waits for it, and it never gives way any more.</summary>
    /// <exception cref="OperationCanceledException">It has given way.</exception>
    public void Hold()
    {
        lock (_lock)
        {
            (_yields, _held) = (false, true);
            if (GaveWay) throw new OperationCanceledException(Cancelled);
        }
    }

    /// <summary>Stops it if it gives way; false when it does not.</summary>
    public bool TryGiveWay()
    {
        lock (_lock)
        {
            if (!_yields) return false;
            GaveWay = true;
        }
        _cancel.Cancel();
        return true;
    }

    /// <summary>Notes a change and tells everybody.</summary>
    public void Update(Func<JobView, JobView> change)
    {
        lock (_lock) _view = change(_view);
        Changed?.Invoke(this);
    }

    /// <summary>Notes the worker's value.</summary>
    public void Report(WorkerProgress value) => Update(view => view with
    {
        Phase = value.Phase,
        Done = value.Done,
        Total = value.Total,
        Downloaded = value.Downloaded,
        BytesPerSecond = value.BytesPerSecond,
        SecondsLeft = value.SecondsLeft,
    });

    /// <inheritdoc/>
    public void Dispose() => _cancel.Dispose();
}
