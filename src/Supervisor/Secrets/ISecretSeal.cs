using Appliance.Core;

namespace Appliance.Supervisor.Secrets;

/// <summary>Seals secrets for the device's disk: what is sealed is of no use on another machine, or under another name.</summary>
internal interface ISecretSeal
{
    /// <summary>Seals a secret.</summary>
    /// <param name="name">What it is used for; it is unsealed under no other name.</param>
    /// <param name="secret">The secret.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The sealed secret (base64).</returns>
    /// <exception cref="UserError">It cannot be sealed.</exception>
    Task<string> SealAsync(SecretName name, ReadOnlyMemory<byte> secret, CancellationToken cancellationToken);

    /// <summary>Unseals a secret.</summary>
    /// <param name="name">The name that it was sealed under.</param>
    /// <param name="sealedSecret">The sealed secret.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="SecretLostException">It cannot be unsealed by this machine's keys, or not under this name.</exception>
    /// <exception cref="UserError">It cannot be unsealed now.</exception>
    Task<byte[]> UnsealAsync(SecretName name, string sealedSecret, CancellationToken cancellationToken);
}
