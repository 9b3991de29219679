namespace Appliance.Supervisor.Access;

/// <summary>How an attempt to log in ended.</summary>
/// <param name="Token">What the caller shows from now on, or null when it was refused.</param>
/// <param name="Session">The log-in, or null.</param>
/// <param name="RetryAfter">How long to wait when there were too many attempts, or null.</param>
internal sealed record LogIn(string? Token, Session? Session, TimeSpan? RetryAfter)
{
    /// <summary>Neither the password nor the code.</summary>
    public static LogIn Wrong { get; } = new(null, null, null);

    /// <summary>Not now: there were too many attempts.</summary>
    public static LogIn Later { get; } = new(null, null, OwnerAccess.NextAttempt);
}
