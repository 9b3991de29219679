using Appliance.Core.Bundles;

namespace Appliance.Core.Releases;

/// <summary>A payload of a release and the ways to get it.</summary>
public sealed record ReleasePayload
{
    /// <summary>Name, as in the bundle's manifest.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for.</summary>
    public required BundlePayloadKind Kind { get; init; }

    /// <summary>Plain size in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>SHA-256 of the plain bytes, lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Where its first frame begins in the bundle file; the manifest says how long each is.</summary>
    public required long Offset { get; init; }

    /// <summary>The payload in chunks, or null.</summary>
    public ChunkReference? Chunks { get; init; }

    /// <summary>Patches from earlier versions.</summary>
    public IReadOnlyList<PatchReference> Patches { get; init; } = [];
}
