namespace Appliance.Core.Bundles;

/// <summary>What a bundle is, apart from its payloads.</summary>
public sealed record BundleHeader
{
    /// <summary>Image id; a device takes only bundles of its own.</summary>
    public required string Id { get; init; }

    /// <summary>Image version (UAPI version format).</summary>
    public required string Version { get; init; }

    /// <summary>Board the image is for.</summary>
    public required string Board { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>dm-verity root hash of the root payload, 64 lower-case hex digits; the device recomputes the tree.</summary>
    public required string RootHash { get; init; }

    /// <summary>dm-verity salt, lower-case hex.</summary>
    public required string Salt { get; init; }

    /// <summary>The image's SOURCE_DATE_EPOCH.</summary>
    public required DateTimeOffset SourceDate { get; init; }

    /// <summary>Oldest version that can update to this one, or null for any.</summary>
    public string? MinimumVersion { get; init; }
}
