using System.Security.Cryptography.X509Certificates;
using Serilog;

namespace Appliance.UpdateServer.Certificates;

/// <summary>Looks at the end of the authority that issues devices' certificates. Without it no device renews, so somebody must know of it long before.</summary>
/// <param name="issuer">The authority; null for a server without one.</param>
/// <param name="time">Clock.</param>
internal sealed class AuthorityWatch(IDeviceIssuer? issuer, TimeProvider time) : BackgroundService
{
    /// <summary>How long before its end it is told of.</summary>
    public static readonly TimeSpan Notice = TimeSpan.FromDays(180);

    private static readonly TimeSpan Pause = TimeSpan.FromDays(1);

    /// <summary>When it ends, or the first above it; null for a server without one.</summary>
    public DateTimeOffset? End { get; } = First(issuer) is { } first ? EndOf(first) : null;

    /// <summary>When it ends, once that is so near that somebody must do something; else null.</summary>
    public DateTimeOffset? NearEnd => End is { } end && end - time.GetUtcNow() <= Notice ? end : null;

    /// <summary>Tells of an end that is near.</summary>
    public void Look()
    {
        if (NearEnd is not { } end || First(issuer) is not { } first) return;
        Log.Warning("{Authority}, by which devices' certificates are issued, ends on {End:yyyy-MM-dd}, {Days} days are left; no device renews after that. Make a new one (appliance-server authority) and name it with --device-issuer", first.Subject, end, Math.Max(0, (int)(end - time.GetUtcNow()).TotalDays));
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            Look();
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static X509Certificate2? First(IDeviceIssuer? issuer) => issuer?.Chain.MinBy(EndOf);

    private static DateTimeOffset EndOf(X509Certificate2 certificate) => certificate.NotAfter.ToUniversalTime();
}
