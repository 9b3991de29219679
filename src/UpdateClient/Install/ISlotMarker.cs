namespace Appliance.UpdateClient.Install;

/// <summary>Says what a slot holds, where the boot loader, the initrd and people look for it.</summary>
public interface ISlotMarker
{
    /// <summary>Before the first byte is written: the slot holds nothing that could be booted.</summary>
    Task MarkEmptyAsync(CancellationToken cancellationToken);

    /// <summary>After the last byte is on the disk and the root hash is right: the slot holds a version.</summary>
    /// <param name="label">Label of its partitions, <c>ID_VERSION</c>.</param>
    /// <param name="root">UUID of the root partition.</param>
    /// <param name="verity">UUID of the verity partition.</param>
    /// <param name="cancellationToken">Ends the marking.</param>
    Task MarkInstalledAsync(string label, Guid root, Guid verity, CancellationToken cancellationToken);
}
