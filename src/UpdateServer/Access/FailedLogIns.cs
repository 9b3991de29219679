using System.Threading.RateLimiting;
using Appliance.UpdateServer.Serve;

namespace Appliance.UpdateServer.Access;

/// <summary>How often an address may show what does not hold. Whoever shows what does is never held up, also behind the same address.</summary>
internal sealed class FailedLogIns : IDisposable
{
    private readonly PartitionedRateLimiter<string> _limiter = PartitionedRateLimiter.Create<string, string>(RateLimits.Share);

    /// <summary>Counts one; false when there were too many.</summary>
    public bool TryCount(HttpContext http)
    {
        using var lease = _limiter.AttemptAcquire(RateLimits.AddressOf(http));
        return lease.IsAcquired;
    }

    /// <inheritdoc/>
    public void Dispose() => _limiter.Dispose();
}
