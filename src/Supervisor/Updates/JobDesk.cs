using Appliance.Core;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>The device's long work: one job at a time, whatever it is about.</summary>
internal sealed class JobDesk(TimeProvider time) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stopping = new();
    private UpdateJob? _current;
    private UserError? _paused;
    private int _last;

    /// <summary>Raised when a job begins or ends.</summary>
    public event Action? Changed;

    /// <summary>Raised with every new job.</summary>
    public event Action<UpdateJob>? Started;

    /// <summary>Says why no job may begin now, or null.</summary>
    public Func<UserError?> Obstacle { get; init; } = () => null;

    /// <summary>Runs before the end of a job is told: who hears of it looks at what has changed.</summary>
    public Func<Task> BeforeEnd { get; init; } = () => Task.CompletedTask;

    /// <summary>Set when the daemon stops.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>The job at hand, or the last one.</summary>
    public UpdateJob? Current
    {
        get { lock (_lock) return _current; }
    }

    private bool IsBusy => _current?.View.State == JobState.Running;

    /// <summary>Begins a job. What the device only looks for by itself gives way to it.</summary>
    /// <param name="kind">What it is, in a word.</param>
    /// <param name="by">Who asked for it.</param>
    /// <param name="key">Equal keys of one kind are the same work, which is joined when it is under way; null for work that is never joined.</param>
    /// <param name="work">Does it.</param>
    /// <exception cref="UserError">Another job is under way, or none may begin.</exception>
    public UpdateJob Start(string kind, string by, object? key, Func<UpdateJob, Task> work)
    {
        UpdateJob job;
        UpdateJob? before;
        lock (_lock)
        {
            if (IsBusy && _current is { GaveWay: false } running && running.View.Kind == kind && key is not null && key.Equals(running.Key))
            {
                if (by != UpdateJob.OfTheDevice) running.Hold();
                return running;
            }
            before = _current;
            var ends = IsBusy && by != UpdateJob.OfTheDevice && before!.TryGiveWay();
            if (ends) RequireNoObstacle();
            else RequireNone();
            _current = job = new UpdateJob(++_last, kind, by, key, time.GetUtcNow(), _stopping.Token);
        }
        Started?.Invoke(job);
        Changed?.Invoke();
        _ = Task.Run(async () =>
        {
            try
            {
                if (before is not null) await before.Work;
                before?.Dispose();
                await RunAsync(job, work);
            }
            finally
            {
                job.End();
            }
        });
        return job;
    }

    /// <summary>Makes sure that nothing is under way: what the device only looks for by itself ends.</summary>
    /// <exception cref="UserError">A job is, or none may begin.</exception>
    public async Task ClearAsync()
    {
        UpdateJob? yielding = null;
        lock (_lock)
            if (IsBusy && _current!.TryGiveWay()) yielding = _current;
        if (yielding is not null) await yielding.Work;
        lock (_lock) RequireNone();
    }

    /// <summary>Stops the job at hand.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public void Cancel()
    {
        lock (_lock)
        {
            if (!IsBusy) throw new UserError("No job is under way.");
            _current!.Cancel();
        }
    }

    /// <summary>Whether no job may begin for a while.</summary>
    public bool IsPaused
    {
        get { lock (_lock) return _paused is not null; }
    }

    /// <summary>No job begins from now on.</summary>
    /// <param name="reason">Why; null for as before.</param>
    public void Pause(UserError? reason)
    {
        lock (_lock) _paused = reason;
        Changed?.Invoke();
    }

    /// <summary>Stops the job at hand without an end: the next start goes on with it.</summary>
    public void Stop() => _stopping.Cancel();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopping.Cancel();
        _current?.Dispose();
        _stopping.Dispose();
    }

    private void RequireNone()
    {
        if (IsBusy) throw new UserError($"Job {_current!.Id} ({_current.View.Kind}) is under way.", "Wait until it ends, or stop it (appliancectl cancel).");
        RequireNoObstacle();
    }

    private void RequireNoObstacle()
    {
        if ((_paused ?? Obstacle()) is { } obstacle) throw obstacle;
    }

    private async Task RunAsync(UpdateJob job, Func<UpdateJob, Task> work)
    {
        if (await OutcomeOfAsync(job, work) is not { } outcome) return;
        await BeforeEnd();
        job.Update(view => view with { State = outcome.State, Phase = "", Message = outcome.Message ?? view.Message });
        Log.Write(outcome.State == JobState.Failed ? Serilog.Events.LogEventLevel.Error : Serilog.Events.LogEventLevel.Information, "Job {Job} ({Kind}, by {By}) ended: {Outcome} {Message}", job.Id, job.View.Kind, job.View.By, outcome.State, job.View.Message);
        Changed?.Invoke();
    }

    /// <summary>How a job ended; null when the daemon stops, the worker perhaps before it: the journal says what to go on with.</summary>
    private async Task<(JobState State, string? Message)?> OutcomeOfAsync(UpdateJob job, Func<UpdateJob, Task> work)
    {
        try
        {
            await work(job);
            return (JobState.Done, null);
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            return (JobState.Cancelled, job.GaveWay ? "gave way to what somebody asked for" : "stopped");
        }
        catch (UserError e)
        {
            job.MayPass = e.MayPass;
            return (JobState.Failed, e.ToString());
        }
        catch (Exception e)
        {
            job.MayPass = true;
            if (e is not WorkerException) Log.Error(e, "Job {Job} failed", job.Id);
            return (JobState.Failed, e.Message);
        }
    }
}
