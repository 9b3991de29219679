namespace Appliance.Core.Bundles;

/// <summary>A payload as the manifest lists it.</summary>
public sealed record BundlePayload
{
    /// <summary>Name; its bytes are the archive member <c>payloads/NAME.zst</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for.</summary>
    public required BundlePayloadKind Kind { get; init; }

    /// <summary>Plain size in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>SHA-256 of the plain bytes, lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Plain bytes of every frame but the last.</summary>
    public required int FrameSize { get; init; }

    /// <summary>The frames in order; frame n starts at the sum of the sizes before it, so any range can be fetched alone.</summary>
    public required IReadOnlyList<BundleFrame> Frames { get; init; }
}
