namespace Appliance.ImageBuilder.Disk;

/// <summary>One GPT partition: offsets and sizes in bytes, UUIDs as the Discoverable Partitions Specification writes them.</summary>
internal sealed record DiskPartition(string Label, Guid Type, Guid Id, long Offset, long Size)
{
    /// <summary>First byte after the partition.</summary>
    public long End => Offset + Size;

    /// <summary>Windows gives it no drive letter: attribute 63 of a basic data partition.</summary>
    public bool Hidden { get; init; }
}
