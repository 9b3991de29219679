using Appliance.Supervisor.Worker;

namespace Appliance.Supervisor.Updates;

/// <summary>One piece of long work, as the surfaces show it.</summary>
internal sealed class UpdateJob : IDisposable
{
    private readonly CancellationTokenSource _cancel;
    private readonly Lock _lock = new();
    private JobView _view;

    /// <summary>A job that is about to run.</summary>
    public UpdateJob(int id, string kind, InstallRequest request, DateTimeOffset startedAt, CancellationToken stopping)
    {
        (Id, Request) = (id, request);
        _view = new JobView { Id = id, Kind = kind, State = JobState.Running, Phase = "starting", By = request.By, StartedAt = startedAt };
        _cancel = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Cancelled = _cancel.Token;
    }

    /// <summary>Raised with every change, from whatever thread made it.</summary>
    public event Action<UpdateJob>? Changed;

    /// <summary>Number, unique in the life of the daemon.</summary>
    public int Id { get; }

    /// <summary>What was asked for.</summary>
    public InstallRequest Request { get; }

    /// <summary>The job's work; it never fails: how it ended is in <see cref="View"/>.</summary>
    public Task Work { get; set; } = Task.CompletedTask;

    /// <summary>Set when somebody wants it to stop.</summary>
    public CancellationToken Cancelled { get; }

    /// <summary>The present.</summary>
    public JobView View
    {
        get { lock (_lock) return _view; }
    }

    /// <summary>Asks it to stop.</summary>
    public void Cancel() => _cancel.Cancel();

    /// <summary>Notes a change and tells everybody.</summary>
    public void Update(Func<JobView, JobView> change)
    {
        lock (_lock) _view = change(_view);
        Changed?.Invoke(this);
    }

    /// <summary>Notes the worker's progress.</summary>
    public void Report(WorkerProgress progress) => Update(view => view with
    {
        Phase = progress.Phase,
        Done = progress.Done,
        Total = progress.Total,
        Downloaded = progress.Downloaded,
        BytesPerSecond = progress.BytesPerSecond,
        SecondsLeft = progress.SecondsLeft,
    });

    /// <inheritdoc/>
    public void Dispose() => _cancel.Dispose();
}
