using System.Threading.RateLimiting;

namespace Appliance.UpdateServer.Access;

/// <summary>How often an address may show what does not hold. Whoever shows what does is never held up, also behind the same address.</summary>
internal sealed class FailedLogIns : IDisposable
{
    /// <summary>Most that are answered in a minute.</summary>
    public const int PerMinute = 60;

    private readonly PartitionedRateLimiter<string> _limiter = PartitionedRateLimiter.Create<string, string>(address =>
        RateLimitPartition.GetFixedWindowLimiter(address, _ => new FixedWindowRateLimiterOptions { PermitLimit = PerMinute, Window = TimeSpan.FromMinutes(1), QueueLimit = 0 }));

    /// <summary>Counts one; false when there were too many.</summary>
    public bool TryCount(HttpContext http)
    {
        using var lease = _limiter.AttemptAcquire(http.Connection.RemoteIpAddress?.ToString() ?? "");
        return lease.IsAcquired;
    }

    /// <inheritdoc/>
    public void Dispose() => _limiter.Dispose();
}
