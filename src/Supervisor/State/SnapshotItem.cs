namespace Appliance.Supervisor.State;

/// <summary>One path in a snapshot.</summary>
internal sealed record SnapshotItem
{
    /// <summary>The path on the device.</summary>
    public required string Path { get; init; }

    /// <summary>What it was.</summary>
    public required SnapshotKind Kind { get; init; }

    /// <summary>Bytes it took on the disk.</summary>
    public long Bytes { get; init; }
}
