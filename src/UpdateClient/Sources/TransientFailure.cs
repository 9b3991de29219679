namespace Appliance.UpdateClient.Sources;

/// <summary>A try at a web server that failed in a way that may pass.</summary>
internal sealed class TransientFailure(string message, TimeSpan? retryAfter = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How long the server asks to wait, or null.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
