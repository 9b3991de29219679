using System.Threading.RateLimiting;

namespace Appliance.UpdateServer.Serve;

/// <summary>How often those may ask who have not said who they are.</summary>
internal static class RateLimits
{
    /// <summary>Name of the policy for strangers.</summary>
    public const string Strangers = "strangers";

    /// <summary>Most requests of an address in a minute.</summary>
    public const int PerMinute = 60;

    /// <summary>The address that a request is from.</summary>
    public static string AddressOf(HttpContext http) => http.Connection.RemoteIpAddress?.ToString() ?? "";

    /// <summary>The share of an address.</summary>
    public static RateLimitPartition<string> Share(string address) =>
        RateLimitPartition.GetFixedWindowLimiter(address, _ => new FixedWindowRateLimiterOptions { PermitLimit = PerMinute, Window = TimeSpan.FromMinutes(1), QueueLimit = 0 });

    /// <summary>Adds the limits.</summary>
    public static void AddLimits(this IServiceCollection services) => services.AddRateLimiter(limiter =>
    {
        limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        limiter.AddPolicy(Strangers, http => Share(AddressOf(http)));
    });
}
