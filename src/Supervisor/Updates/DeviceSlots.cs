using Appliance.Core;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Worker;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>Both slots, as the worker read them last.</summary>
internal sealed class DeviceSlots(IWorker worker)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Raised when they were read.</summary>
    public event Action? Changed;

    /// <summary>What is known; empty before they were read.</summary>
    public IReadOnlyList<SlotStatus> Known { get; private set; } = [];

    /// <summary>What is known of a slot; null before that.</summary>
    public SlotStatus? Find(string name) => Known.FirstOrDefault(slot => slot.Name == name);

    /// <summary>Reads both anew; false when they cannot be read.</summary>
    public async Task<bool> RefreshAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            Known = (await worker.RunAsync(new WorkerRequest { Verb = WorkerVerb.Slots }, null, null, limit.Token)).Slots ?? [];
            Changed?.Invoke();
            return true;
        }
        catch (Exception e) when (e is WorkerException or UserError || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            Log.Warning("The slots could not be read: {Reason}", e.Message);
            return false;
        }
    }
}
