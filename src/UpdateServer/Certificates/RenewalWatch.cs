using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;
using Serilog;

namespace Appliance.UpdateServer.Certificates;

/// <summary>Counts the devices whose certificate ends soon and was not renewed, once a minute: whoever asks for the number costs the database nothing.</summary>
internal sealed class RenewalWatch(FleetDatabase database, ServeOptions options, TimeProvider time) : BackgroundService
{
    private const int NotCounted = -1;
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private readonly SemaphoreSlim _one = new(1);
    private int _expiring = NotCounted;

    /// <summary>How many they were a minute ago at most; null before they were counted first.</summary>
    public int? Expiring => Volatile.Read(ref _expiring) is not NotCounted and var count ? count : null;

    /// <summary>Counts them.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var now = time.GetUtcNow();
            await using var context = database.Open();
            Volatile.Write(ref _expiring, await context.WithoutRenewal(now, now + options.CertificateNotice, countsUnshown: options.Proxies.Count > 0).CountAsync(cancellationToken));
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await LookAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested && e is not OutOfMemoryException)
            {
                Log.Warning("Certificates that end soon could not be counted: {Reason}", e.Message);
            }
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
