using System.Globalization;
using Appliance.Core;
using Appliance.Core.Images;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// Marks a slot by the labels and UUIDs of its partitions, through sfdisk, on a disk or a disk image. The kernel is not told:
/// it need not know before the next boot, and it would refuse while other partitions of the disk are in use.
/// </summary>
/// <param name="disk">The whole disk.</param>
/// <param name="imageId">Image id, from which the UUIDs of empty partitions follow.</param>
/// <param name="rootPartition">Number of the root partition.</param>
/// <param name="verityPartition">Number of the verity partition.</param>
public sealed class GptSlotMarker(string disk, string imageId, int rootPartition, int verityPartition) : ISlotMarker
{
    /// <inheritdoc/>
    public Task MarkEmptyAsync(CancellationToken cancellationToken) =>
        MarkAsync(ImageIdentity.EmptyLabel, ImageIdentity.NameBased(imageId, $"empty-{rootPartition}"), ImageIdentity.NameBased(imageId, $"empty-{verityPartition}"));

    /// <inheritdoc/>
    public Task MarkInstalledAsync(string label, Guid root, Guid verity, CancellationToken cancellationToken) => MarkAsync(label, root, verity);

    /// <summary>Nobody stops it: an sfdisk that is killed in the middle leaves a table that is neither the old one nor the new one.</summary>
    private async Task MarkAsync(string label, Guid root, Guid verity)
    {
        // Root last: a slot counts by its root partition, and its verity partition is right by then.
        foreach (var (number, id) in new[] { (verityPartition, verity), (rootPartition, root) })
        {
            await SfdiskAsync("--part-label", number, label);
            await SfdiskAsync("--part-uuid", number, id.ToString().ToUpperInvariant());
        }
        using var handle = File.OpenHandle(disk, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        RandomAccess.FlushToDisk(handle);
    }

    private async Task SfdiskAsync(string what, int partition, string value)
    {
        var (code, _, errors) = await Sfdisk.RunAsync(["--no-reread", "--no-tell-kernel", "--quiet", what, disk, partition.ToString(CultureInfo.InvariantCulture), value], CancellationToken.None);
        if (code != 0) throw new UserError($"Partition {partition} of {disk} cannot be marked: {errors}", "Check that the disk is writable and has the image's partition table.");
    }
}
