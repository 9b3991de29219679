using Appliance.Core.Images;
using Appliance.UpdateClient.Install;

namespace Appliance.Supervisor.Boot;

/// <summary>A slot as the partition table has it.</summary>
/// <param name="Name"><c>a</c> or <c>b</c>.</param>
/// <param name="Root">Its root partition.</param>
/// <param name="Verity">The partition of its hash tree.</param>
internal sealed record DiskSlot(string Name, GptPartition Root, GptPartition Verity)
{
    /// <summary>Label of what it holds, <c>ID_VERSION</c>; null when it is empty.</summary>
    public string? Label => Root.Label is "" or ImageIdentity.EmptyLabel ? null : Root.Label;

    /// <summary>The dm-verity root hash of what it holds: its halves are the partitions' UUIDs.</summary>
    public string RootHash => $"{Root.Id:N}{Verity.Id:N}";

    /// <summary>The version in its label; null when it is empty.</summary>
    public string? Version(string imageId) => Label is not { } label ? null : label.StartsWith(imageId + "_", StringComparison.Ordinal) ? label[(imageId.Length + 1)..] : label;

    /// <summary>Slot <c>a</c> is partitions 2 and 3 of a disk with boot loader entries, <c>b</c> is 4 and 5.</summary>
    public static IReadOnlyList<DiskSlot> Of(GptTable table) => [new("a", table[2], table[3]), new("b", table[4], table[5])];

    /// <summary>Where a partition is written: its device, or its piece of a disk image.</summary>
    public static SlotRegion Region(GptTable table, GptPartition partition) =>
        File.Exists(partition.Node) ? new SlotRegion(partition.Node) : new SlotRegion(table.Disk, partition.Offset, partition.Size);
}
