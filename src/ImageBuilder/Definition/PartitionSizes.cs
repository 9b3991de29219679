namespace Appliance.ImageBuilder.Definition;

/// <summary>Partition sizes in bytes, multiples of 1 MiB.</summary>
public sealed record PartitionSizes
{
    /// <summary>EFI system partition, 64 MiB or more; for a Raspberry Pi the boot partition of each slot.</summary>
    public long Esp { get; init; } = 512L << 20;

    /// <summary>Each of the two root partitions; the verity partitions are derived from it.</summary>
    public long Slot { get; init; } = 2L << 30;

    /// <summary>The data partition in the image; it grows to the end of the disk at first boot.</summary>
    public long Data { get; init; } = 512L << 20;
}
