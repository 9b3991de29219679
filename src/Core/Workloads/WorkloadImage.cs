namespace Appliance.Core.Workloads;

/// <summary>A container image of a release.</summary>
public sealed record WorkloadImage
{
    /// <summary>The image as the manifests named it, in full.</summary>
    public required string Reference { get; init; }

    /// <summary>The name under which a device keeps it; the release's objects say this one.</summary>
    public required string Pinned { get; init; }

    /// <summary>Digest of its manifest in the release, with plain layers: <c>sha256:…</c>.</summary>
    public required string Manifest { get; init; }

    /// <summary>Digest of the manifest it was made from, which is what a registry and a signature name: <c>sha256:…</c>.</summary>
    public required string Source { get; init; }

    /// <summary>Digest of its configuration, the same in both: <c>sha256:…</c>.</summary>
    public required string Config { get; init; }

    /// <summary>Signatures of the image by who made it, where the workload asks for them.</summary>
    public ImageProof? Proof { get; init; }
}
