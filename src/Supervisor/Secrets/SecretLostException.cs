namespace Appliance.Supervisor.Secrets;

/// <summary>What was sealed cannot be unsealed, now or later: not on this machine, or not under this name.</summary>
/// <param name="reason">Why, as far as it is known.</param>
internal sealed class SecretLostException(string reason) : Exception(reason);
