namespace Appliance.Supervisor.Fleet;

/// <summary>A server did not do what it was asked for.</summary>
/// <param name="fault">What kind of trouble it is.</param>
/// <param name="message">Why, in words.</param>
/// <param name="retryAfter">How long it wants to be left alone.</param>
/// <param name="inner">What was behind it.</param>
internal sealed class DdiException(DdiFault fault, string message, TimeSpan? retryAfter = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What kind of trouble it is.</summary>
    public DdiFault Fault { get; } = fault;

    /// <summary>How long it wants to be left alone, or null.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>Why a server did not do what it was asked for.</summary>
internal enum DdiFault
{
    /// <summary>It cannot be reached, or does not answer as it should now.</summary>
    Unreachable,

    /// <summary>It does not take the device for what it says it is.</summary>
    Refused,

    /// <summary>It does not know, or not any more, what the device speaks of.</summary>
    Gone,

    /// <summary>It does not understand what was said; said again it will not either.</summary>
    Rejected,
}
