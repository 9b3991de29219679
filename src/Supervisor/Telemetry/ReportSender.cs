using Serilog;

namespace Appliance.Supervisor.Telemetry;

/// <summary>Brings reports to whoever takes them, one after another, the oldest first.</summary>
internal sealed class ReportSender(ReportSpool spool, IReportTaker taker, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5), LongestPause = TimeSpan.FromMinutes(5);

    private readonly WakeableSleep _sleep = new(time);
    private volatile ReportTrouble? _trouble;

    /// <summary>How it goes.</summary>
    public ReportDelivery Delivery => new(taker.Name, _trouble, spool.Dropped > 0);

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _sleep.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        spool.Added += _sleep.Wake;
        var backoff = new Backoff(FirstPause, LongestPause);
        while (!stoppingToken.IsCancellationRequested)
        {
            if (spool.Oldest is not { } report)
            {
                await _sleep.SleepAsync(Timeout.InfiniteTimeSpan, stoppingToken);
                continue;
            }
            var (done, wait) = await SendAsync(report, stoppingToken);
            if (done)
            {
                backoff.Reset();
                continue;
            }
            await Task.Delay(backoff.Next(wait), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        spool.Added -= _sleep.Wake;
    }

    /// <summary>Sends one; says whether it is out of the line, and when not, how long the taker wants to be left alone.</summary>
    private async Task<(bool Done, TimeSpan? Wait)> SendAsync(SpooledReport report, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await taker.TakeAsync(report, await File.ReadAllBytesAsync(report.Path, cancellationToken), cancellationToken);
            if (answer.Outcome != ReportOutcome.Waits) spool.Remove(report, taken: answer.Outcome == ReportOutcome.Taken);
            Note(answer.Trouble);
            return (answer.Outcome != ReportOutcome.Waits, answer.Wait);
        }
        catch (FileNotFoundException)
        {
            return (true, null); // dropped meanwhile, for want of room
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            Note(e is OperationCanceledException ? "it does not answer" : e.Message);
            return (false, null);
        }
        catch (OperationCanceledException)
        {
            return (false, null);
        }
    }

    /// <summary>Only changes are worth a line, which is a report itself.</summary>
    private void Note(string? trouble)
    {
        if (trouble == _trouble?.Reason) return;
        _trouble = trouble is null ? null : new ReportTrouble(trouble, _trouble?.Since ?? time.GetUtcNow());
        if (trouble is null) Log.Information("{Taker} takes reports", taker.Name);
        else Log.Warning("Reports wait for {Taker}: {Reason}", taker.Name, trouble);
    }
}
