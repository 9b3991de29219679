using Appliance.ImageBuilder.Disk;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>Everything the outputs are assembled from.</summary>
internal sealed record ImageParts
{
    public required DiskLayout Layout { get; init; }
    public required string RootHash { get; init; }
    public required string Salt { get; init; }
    public required StageResult Tools { get; init; }
    public required StageResult Base { get; init; }
    public required StageResult Supervisor { get; init; }

    /// <summary>What the board's kernel module was compiled with; null where there is none.</summary>
    public required StageResult? Headers { get; init; }

    /// <summary>Paths of the finished parts.</summary>
    public required string RootImage { get; init; }
    public required string VerityTree { get; init; }

    /// <summary>What starts a slot: the unified kernel image, or a Raspberry Pi's <c>boot.img</c>.</summary>
    public required string Boot { get; init; }

    /// <summary>The file systems of the layout's boot partitions.</summary>
    public required IReadOnlyList<string> BootPartitions { get; init; }

    public required string KernelVersion { get; init; }

    /// <summary>Names the parts together: equal identities mean equal images.</summary>
    public required string Identity { get; init; }
}
