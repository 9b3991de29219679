namespace Appliance.Supervisor.Access;

/// <summary>A log-in. The token itself is only with whoever logged in.</summary>
/// <param name="Hash">SHA-256 of the token, in hexadecimal.</param>
/// <param name="FormToken">What a form must send back, so that another site's cannot (CSRF).</param>
/// <param name="Until">When it ends.</param>
/// <param name="Setup">True when it was begun with the setup code, or with a password that has ended: it can set a password and do nothing else.</param>
/// <param name="Name">Whose certificate began it; null for the password's and the setup code's.</param>
internal sealed record Session(string Hash, string FormToken, DateTimeOffset Until, bool Setup, string? Name = null);
