namespace Appliance.Supervisor;

/// <summary>The sleep of a service that acts when something is due, and when something has changed.</summary>
internal sealed class WakeableSleep(TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _wake = new(0, 1);

    /// <summary>Ends the sleep, or the next one when nobody sleeps.</summary>
    public void Wake()
    {
        lock (_wake)
            if (_wake.CurrentCount == 0) _wake.Release();
    }

    /// <summary>Sleeps until it is woken, the time is over or it is cancelled.</summary>
    public async Task SleepAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(_wake.WaitAsync(limit.Token), Task.Delay(pause, time, limit.Token));
        await limit.CancelAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();
}
