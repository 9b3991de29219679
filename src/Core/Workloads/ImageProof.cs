using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>What leads from signatures to an image as a release has it: the manifests of its registry, whose digests are signed.</summary>
public sealed record ImageProof
{
    /// <summary>The manifest of the image, as it is in its registry; its hash is <see cref="WorkloadImage.Source"/>.</summary>
    public required byte[] Manifest { get; init; }

    /// <summary>The index of several platforms that names the manifest, where that is what was signed.</summary>
    public byte[]? Index { get; init; }

    /// <summary>The signatures of the one or the other.</summary>
    public required IReadOnlyList<ImageSignature> Signatures { get; init; }

    /// <summary>Whether a document is an index that names the manifest with a digest.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    /// <exception cref="InvalidOperationException">Its members are of other kinds than an index's.</exception>
    public static bool IsIndexOf(byte[] document, string digest) => (JsonNode.Parse(document)?["manifests"] as JsonArray)?.Any(entry => (string?)entry?["digest"] == digest) == true;
}
