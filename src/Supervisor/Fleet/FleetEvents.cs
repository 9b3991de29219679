namespace Appliance.Supervisor.Fleet;

/// <summary>Hears of what there is to do at once, as far as the server says it; a server without events is asked again and again all the same.</summary>
internal sealed class FleetEvents : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5), LongestPause = TimeSpan.FromMinutes(5), PauseWithoutEvents = TimeSpan.FromHours(1);

    private readonly CancellationTokenSource _end = new();
    private readonly TimeProvider _time;

    /// <summary>Begins to listen.</summary>
    /// <param name="client">What the server is spoken to with.</param>
    /// <param name="poll">Called when there is something to do.</param>
    /// <param name="time">Clock.</param>
    public FleetEvents(DdiClient client, Action poll, TimeProvider time)
    {
        _time = time;
        _ = ListenAsync(client, poll, _end.Token);
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    private async Task ListenAsync(DdiClient client, Action poll, CancellationToken cancellationToken)
    {
        var (backoff, hasEvents) = (new Backoff(FirstPause, LongestPause), true);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await client.ListenAsync(() =>
                {
                    hasEvents = true;
                    backoff.Reset();
                    poll();
                }, cancellationToken);
            }
            catch (DdiException e)
            {
                if (e.Fault is DdiFault.Gone or DdiFault.Rejected) hasEvents = false;
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            await Task.Delay(hasEvents ? backoff.Next() : Backoff.Draw(PauseWithoutEvents), _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
