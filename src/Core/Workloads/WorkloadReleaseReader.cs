using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Appliance.Core.Bundles;

namespace Appliance.Core.Workloads;

/// <summary>Reads a workload release from bytes that may be anything.</summary>
public static partial class WorkloadReleaseReader
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

    /// <summary>Makes sure that a release uses no image but its own: what its signature vouches for is all that runs.</summary>
    /// <exception cref="InvalidDataException">It uses another, or one that may be pulled.</exception>
    public static void RequireOwnImages(WorkloadRelease release)
    {
        var own = release.Images.Select(image => image.Pinned).ToHashSet(StringComparer.Ordinal);
        foreach (var manifest in release.Objects)
        {
            if (ObjectIdentity.Of(manifest) is { Group: "helm.cattle.io" } chart) throw new InvalidDataException($"{chart} would have k3s fetch and run what is not in it; render the chart with `helm template`");
            foreach (var place in PodImages.Of(manifest))
            {
                if (place.Name is not { } name || !own.Contains(name)) throw new InvalidDataException($"{ObjectIdentity.Of(manifest)} uses the image {place.Name ?? "without a name"}, which is not in it, so nobody vouches for it");
                if (!place.IsNeverPulled) throw new InvalidDataException($"{ObjectIdentity.Of(manifest)} would pull the image {name}");
            }
        }
    }

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
            if (image.Proof is { } proof && proof.Signatures.Any(signature => signature is null)) throw new InvalidDataException($"a signature of the image {image.Reference} is empty");
            if (ImageReference.TryParse(image.Reference)!.Pin(image.Manifest).ToString() != image.Pinned) throw new InvalidDataException($"the image {image.Reference} is not kept under a name of its content");
            if (!pinned.Add(image.Pinned)) throw new InvalidDataException($"the image {image.Reference} is there twice");
        }
        var identities = new HashSet<(string, string, string, string)>();
        foreach (var manifest in release.Objects)
        {
            var identity = ObjectIdentity.Of(manifest ?? throw new InvalidDataException("an object is empty"));
            // They become parts of paths and of command lines.
            if (!ObjectName().IsMatch(identity.Name) || identity.Namespace is { } space && !ObjectName().IsMatch(space)) throw new InvalidDataException($"{identity.Kind} \"{identity.Name}\" has a name or namespace that is none");
            if (!identities.Add((identity.Group, identity.Kind, identity.Namespace ?? "default", identity.Name))) throw new InvalidDataException($"{identity} is there twice");
        }
    }

    /// <summary>DNS names (RFC 1123), and what roles may have beyond that.</summary>
    [GeneratedRegex(@"^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex ObjectName();
}
