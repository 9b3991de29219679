using Appliance.Core;
using Appliance.Supervisor.Secrets;

namespace Appliance.Supervisor.Worker;

/// <summary>The verbs that seal and unseal secrets of the daemon, under its own names alone.</summary>
internal sealed class SealWork(ISecretSeal seal)
{
    /// <summary>Seals a secret.</summary>
    public async Task<WorkerResult> SealAsync(WorkerRequest request, CancellationToken cancellationToken) =>
        request.Secret is { Plain: { } plain } secret ? Result(secret with { Plain = null, Sealed = await seal.SealAsync(SecretName.Parse(secret.Name), plain, cancellationToken) })
            : throw new UserError("nothing came that could be sealed");

    /// <summary>Unseals a secret.</summary>
    public async Task<WorkerResult> UnsealAsync(WorkerRequest request, CancellationToken cancellationToken)
    {
        if (request.Secret is not { Sealed: { } sealedSecret } secret) throw new UserError("nothing came that could be unsealed");
        try
        {
            return Result(secret with { Sealed = null, Plain = await seal.UnsealAsync(SecretName.Parse(secret.Name), sealedSecret, cancellationToken) });
        }
        catch (SecretLostException e)
        {
            return Result(secret with { Sealed = null, Lost = e.Message });
        }
    }

    private static WorkerResult Result(WorkerSecret secret) => new() { Secret = secret };
}
