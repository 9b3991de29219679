using Appliance.UpdateClient.Install;

namespace Appliance.Supervisor.Boot;

/// <summary>Marks a slot, and before the slot's content goes does what the boot scheme needs then.</summary>
internal sealed class PreparedMarker(ISlotMarker inner, Action prepare) : ISlotMarker
{
    /// <inheritdoc/>
    public Task MarkEmptyAsync(CancellationToken cancellationToken)
    {
        prepare();
        return inner.MarkEmptyAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public Task MarkInstalledAsync(string label, Guid root, Guid verity, CancellationToken cancellationToken) => inner.MarkInstalledAsync(label, root, verity, cancellationToken);
}
