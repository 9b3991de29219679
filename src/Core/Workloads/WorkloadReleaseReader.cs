using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core.Bundles;

namespace Appliance.Core.Workloads;

/// <summary>Reads a workload release from bytes that may be anything.</summary>
public static class WorkloadReleaseReader
{
    /// <summary>Largest document in bytes.</summary>
    public const int LargestDocument = 8 << 20;

    /// <summary>How deep its objects may be nested; Kubernetes' own schemas stay far below it.</summary>
    public const int DeepestNesting = 64;

    /// <summary>Most objects of a release, and most images.</summary>
    public const int MostObjects = 1000, MostImages = 200;

    /// <summary>Reads and validates a release.</summary>
    /// <exception cref="UserError">It is of a newer format.</exception>
    /// <exception cref="InvalidDataException">It is no release, or inconsistent.</exception>
    public static WorkloadRelease Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > LargestDocument) throw new InvalidDataException("it is too large for a workload release");
        try
        {
            FormatNumber.Require(utf8, WorkloadRelease.CurrentFormat, "workload release", DeepestNesting);
            var release = JsonSerializer.Deserialize(utf8.Span, WorkloadJson.Default.WorkloadRelease) ?? throw new InvalidDataException("it is empty");
            Validate(release);
            return release;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            throw new InvalidDataException($"it cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Whether a release is what its bundle says of it.</summary>
    public static bool IsOf(WorkloadRelease release, BundleHeader header) =>
        header.Kind == BundleKind.Workload && release.Id == header.Id && release.Version == header.Version && release.Architecture == header.Architecture;

    /// <summary>What a device does relies on.</summary>
    /// <exception cref="InvalidDataException">The release is inconsistent.</exception>
    public static void Validate(WorkloadRelease release)
    {
        if (!BundleRules.IsIdentifier(release.Id) || !BundleRules.IsVersion(release.Version) || !BundleRules.IsIdentifier(release.Architecture)) throw new InvalidDataException("its id, version or architecture is not one");
        if (release.Images.Count > MostImages) throw new InvalidDataException($"it has more than {MostImages} images");
        if (release.Objects.Count is 0 or > MostObjects) throw new InvalidDataException($"it has no objects, or more than {MostObjects}");
        var pinned = new HashSet<string>(StringComparer.Ordinal);
        foreach (var image in release.Images)
        {
            if (image is null || ImageReference.TryParse(image.Reference)?.ToString() != image.Reference || !OciDigest.IsDigest(image.Manifest) || !OciDigest.IsDigest(image.Source) || !OciDigest.IsDigest(image.Config))
                throw new InvalidDataException("an image is not described as it should be");
            if (ImageReference.TryParse(image.Reference)!.Pin(image.Manifest).ToString() != image.Pinned) throw new InvalidDataException($"the image {image.Reference} is not kept under a name of its content");
            if (!pinned.Add(image.Pinned)) throw new InvalidDataException($"the image {image.Reference} is there twice");
        }
        var identities = new HashSet<(string, string, string, string)>();
        foreach (var manifest in release.Objects)
        {
            var identity = ObjectIdentity.Of(manifest ?? throw new InvalidDataException("an object is empty"));
            if (!identities.Add((identity.Group, identity.Kind, identity.Namespace ?? "default", identity.Name))) throw new InvalidDataException($"{identity} is there twice");
        }
    }
}
