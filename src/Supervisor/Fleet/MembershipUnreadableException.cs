namespace Appliance.Supervisor.Fleet;

/// <summary>The device belongs to a fleet, and cannot read by what.</summary>
/// <param name="message">Why, for the status.</param>
/// <param name="server">The server that it belongs to, as far as the file says; null for the image's.</param>
/// <param name="inner">What went wrong.</param>
internal sealed class MembershipUnreadableException(string message, string? server, Exception inner) : Exception(message, inner)
{
    /// <summary>The server that the device belongs to, as far as the file says; null for the image's.</summary>
    public string? Server { get; } = server;
}
