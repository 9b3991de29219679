namespace Appliance.Supervisor.Web;

/// <summary>A request that is not done, and what to do instead.</summary>
/// <param name="status">HTTP status code.</param>
/// <param name="message">What is wrong.</param>
/// <param name="hint">What to do.</param>
internal sealed class RequestRefused(int status, string message, string hint) : Exception(message)
{
    /// <summary>HTTP status code.</summary>
    public int Status => status;

    /// <summary>What to do.</summary>
    public string Hint => hint;

    /// <summary>When to try again, or null.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
