using Appliance.Core;
using Appliance.Supervisor.Worker;

namespace Appliance.Supervisor.Secrets;

/// <summary>Seals through the root worker, which is where the machine's keys can be used.</summary>
internal sealed class WorkerSeal(IWorker worker) : ISecretSeal
{
    /// <summary>Whoever wants to know a secret waits no longer for a worker that has stopped working.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <inheritdoc/>
    public async Task<string> SealAsync(SecretName name, ReadOnlyMemory<byte> secret, CancellationToken cancellationToken) =>
        (await AskAsync(WorkerVerb.Seal, new WorkerSecret(name.ToString()) { Plain = secret.ToArray() }, cancellationToken)).Sealed ?? throw Nothing();

    /// <inheritdoc/>
    public async Task<byte[]> UnsealAsync(SecretName name, string sealedSecret, CancellationToken cancellationToken) =>
        await AskAsync(WorkerVerb.Unseal, new WorkerSecret(name.ToString()) { Sealed = sealedSecret }, cancellationToken) is var answer && answer.Lost is { } reason ? throw new SecretLostException(reason)
            : answer.Plain ?? throw Nothing();

    private async Task<WorkerSecret> AskAsync(WorkerVerb verb, WorkerSecret secret, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            return (await worker.RunAsync(new WorkerRequest { Verb = verb, Secret = secret }, null, null, limit.Token)).Secret ?? throw Nothing();
        }
        catch (WorkerException e)
        {
            throw Away(e.Message, e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Away("the worker does not answer", e);
        }
    }

    private static UserError Nothing() => Away("the worker answers with nothing", null);

    private static UserError Away(string reason, Exception? inner) => new(reason, "Secrets of the device are sealed by its root worker: systemctl status appliance-worker.socket", inner) { MayPass = true };
}
