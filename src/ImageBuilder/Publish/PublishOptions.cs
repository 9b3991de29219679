namespace Appliance.ImageBuilder.Publish;

/// <summary>What one run of <c>appliance publish</c> was asked to do.</summary>
internal sealed record PublishOptions
{
    /// <summary>
    /// Level of the published frames. Of 12, 15 and 19 on a root file system the last makes the smallest bundle, in minutes on
    /// two cores, and unpacks no slower; the levels above it gain nothing on frames of 4 MiB.
    /// </summary>
    public const int DefaultLevel = 19;

    /// <summary>Versions that patches are made from.</summary>
    public const int DefaultPatches = 3;

    /// <summary>The bundle of a build.</summary>
    public required string Bundle { get; init; }

    /// <summary>The repository's folder.</summary>
    public required string Repository { get; init; }

    /// <summary>The channel.</summary>
    public required string Channel { get; init; }

    /// <summary>Share of the devices in percent, or null: all of a new version, and what it was of one that is published already.</summary>
    public int? Rollout { get; init; }

    /// <summary>Versions that stay in the channel, or null for all.</summary>
    public int? Keep { get; init; }

    /// <summary>Versions before this one that get a patch.</summary>
    public int Patches { get; init; } = DefaultPatches;

    /// <summary>False leaves the chunks out: devices that no patch is for then download the whole.</summary>
    public bool Chunks { get; init; } = true;

    /// <summary>What is new, in words.</summary>
    public string? Notes { get; init; }

    /// <summary>zstd's level for the frames.</summary>
    public int Level { get; init; } = DefaultLevel;
}
