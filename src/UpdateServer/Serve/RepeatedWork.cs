namespace Appliance.UpdateServer.Serve;

/// <summary>Work that is done again and again while the server runs. That it fails once is noted, and keeps it from nothing.</summary>
/// <param name="pause">How long there is nothing to do then.</param>
/// <param name="time">Clock.</param>
internal abstract class RepeatedWork(TimeSpan pause, TimeProvider time) : BackgroundService
{
    private readonly SemaphoreSlim _one = new(1);

    /// <summary>The clock.</summary>
    protected TimeProvider Time { get; } = time;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    /// <summary>Does the work once.</summary>
    protected abstract Task WorkAsync(CancellationToken cancellationToken);

    /// <summary>Notes that it failed.</summary>
    protected abstract void NoteFailure(Exception failure);

    /// <summary>Does what somebody else may ask for at the same moment: one after the other.</summary>
    protected async Task AloneAsync(Func<Task> work, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await work();
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await WorkAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested && e is not OutOfMemoryException)
            {
                NoteFailure(e);
            }
            await Task.Delay(pause, Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
