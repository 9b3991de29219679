namespace Appliance.Supervisor.Web;

/// <summary>A log-in of a program.</summary>
/// <param name="Token">For the header <c>Authorization: Bearer TOKEN</c>.</param>
/// <param name="Until">When it ends.</param>
/// <param name="Setup">True when a password must be set first.</param>
internal sealed record DeviceSession(string Token, DateTimeOffset Until, bool Setup);
