using System.Text.Json.Serialization;

namespace Appliance.Core.Bundles;

/// <summary>What a bundle is, apart from its payloads.</summary>
public sealed record BundleHeader
{
    /// <summary>The board of what fits all boards.</summary>
    public const string AnyBoard = "any";

    /// <summary>Id of the image, or of the workload; a device takes only bundles of its own.</summary>
    public required string Id { get; init; }

    /// <summary>Version (UAPI version format).</summary>
    public required string Version { get; init; }

    /// <summary>Board the image is for; <see cref="AnyBoard"/> for a workload.</summary>
    public required string Board { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>dm-verity root hash of an image's root payload, 64 lower-case hex digits; the device recomputes the tree. Null for a workload.</summary>
    public string? RootHash { get; init; }

    /// <summary>dm-verity salt of an image, lower-case hex. Null for a workload.</summary>
    public string? Salt { get; init; }

    /// <summary>The SOURCE_DATE_EPOCH of the content.</summary>
    public required DateTimeOffset SourceDate { get; init; }

    /// <summary>Oldest version that can update to this one, or null for any.</summary>
    public string? MinimumVersion { get; init; }

    /// <summary>What the bundle brings.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public BundleKind Kind { get; init; }
}
