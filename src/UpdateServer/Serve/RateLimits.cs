using System.Threading.RateLimiting;

namespace Appliance.UpdateServer.Serve;

/// <summary>How often those may ask who have not said who they are.</summary>
internal static class RateLimits
{
    /// <summary>Name of the policy for strangers.</summary>
    public const string Strangers = "strangers";

    private const int PerMinute = 60;

    /// <summary>Adds the limits.</summary>
    public static void AddLimits(this IServiceCollection services) => services.AddRateLimiter(limiter =>
    {
        limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        limiter.AddPolicy(Strangers, http => RateLimitPartition.GetFixedWindowLimiter(http.Connection.RemoteIpAddress?.ToString() ?? "", _ => new FixedWindowRateLimiterOptions { PermitLimit = PerMinute, Window = TimeSpan.FromMinutes(1), QueueLimit = 0 }));
    });
}
