using System.Text;
using System.Text.Json;
using Appliance.Core.Bundles;
using Appliance.Core.Verity;

namespace Appliance.Core.Releases;

/// <summary>Reads releases and offers from bytes that may be anything, and fits releases to their manifests.</summary>
public static class ReleaseReader
{
    /// <summary>Largest release document in bytes.</summary>
    public const int LargestRelease = 1 << 20;

    /// <summary>Largest compressed manifest in bytes.</summary>
    public const int LargestManifestObject = 4 << 20;

    private const int MostPayloads = 64, MostPatches = 256, LongestNotes = 64 << 10;
    private const long LargestObject = 256L << 30;

    /// <summary>Reads and validates a release.</summary>
    /// <exception cref="UserError">It is of a newer format.</exception>
    /// <exception cref="InvalidDataException">It is no release, or inconsistent.</exception>
    public static Release Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > LargestRelease) throw new InvalidDataException("it is too large for a release");
        return Guard(() =>
        {
            FormatNumber.Require(utf8, Release.CurrentFormat, "release");
            var release = JsonSerializer.Deserialize(utf8.Span, ReleaseJson.Default.Release) ?? throw new InvalidDataException("it is empty");
            Validate(release);
            return release;
        });
    }

    /// <summary>Reads and validates what a target's <c>custom</c> member says.</summary>
    /// <exception cref="InvalidDataException">It is no offer.</exception>
    public static ReleaseOffer ParseOffer(JsonElement custom) => Guard(() =>
    {
        var offer = custom.Deserialize(ReleaseJson.Default.ReleaseOffer) ?? throw new InvalidDataException("it is empty");
        if (!BundleRules.IsIdentifier(offer.Id) || !BundleRules.IsVersion(offer.Version) || !BundleRules.IsIdentifier(offer.Board) || !BundleRules.IsIdentifier(offer.Architecture)
            || !Enum.IsDefined(offer.Kind) || offer.Rollout is < 0 or > 100 || (offer.MinimumVersion is not null && !BundleRules.IsVersion(offer.MinimumVersion)))
            throw new InvalidDataException("a member is not what it should be");
        return offer;
    });

    /// <summary>Unpacks the manifest of a release and checks that both tell the same.</summary>
    /// <param name="release">A release from <see cref="Parse"/>.</param>
    /// <param name="packed">The manifest object; its hash was checked.</param>
    /// <exception cref="InvalidDataException">It is no manifest, or that of something else.</exception>
    public static BundleManifest ParseManifest(Release release, ReadOnlySpan<byte> packed)
    {
        var manifest = BundleManifestReader.ParseCompressed(packed);
        if (manifest.Header != release.Header || manifest.Payloads.Count != release.Payloads.Count) throw new InvalidDataException("its manifest is that of another bundle");
        foreach (var (listed, payload) in release.Payloads.Zip(manifest.Payloads))
        {
            if (listed.Name != payload.Name || listed.Kind != payload.Kind || listed.Size != payload.Size || listed.Sha256 != payload.Sha256)
                throw new InvalidDataException($"payload {listed.Name} is another one in its manifest");
            if (payload.FrameSize != FrameCompressor.FrameSize) throw new InvalidDataException($"the frames of payload {listed.Name} are not of {FrameCompressor.FrameSize} bytes");
            if (listed.Offset + payload.Frames.Sum(frame => (long)frame.Size) > release.Bundle.Size) throw new InvalidDataException($"payload {listed.Name} is larger than its bundle");
        }
        return manifest;
    }

    private static void Validate(Release release)
    {
        if (BundleRules.Fault(release.Header) is { } fault) throw new InvalidDataException(fault);
        if (release.Notes is { } notes && Encoding.UTF8.GetByteCount(notes) > LongestNotes) throw new InvalidDataException("its notes are too long");
        Validate(release.Manifest, LargestManifestObject);
        Validate(release.Bundle, LargestObject);
        if (release.Payloads.Count is 0 or > MostPayloads || release.Payloads.Any(payload => payload is null)) throw new InvalidDataException("it has no payloads or too many");
        if (release.Payloads.Select(payload => payload.Name).Distinct(StringComparer.Ordinal).Count() != release.Payloads.Count) throw new InvalidDataException("two payloads have one name");
        foreach (var payload in release.Payloads) Validate(payload, release.Bundle.Size);
        if (BundleRules.Fault(release.Header.Kind, release.Payloads.Select(payload => payload.Kind)) is { } unfit) throw new InvalidDataException(unfit);
    }

    private static void Validate(ReleasePayload payload, long bundleSize)
    {
        if (!BundleRules.IsName(payload.Name) || !Enum.IsDefined(payload.Kind) || !BundleRules.IsSha256(payload.Sha256)) throw new InvalidDataException("a payload is not described as it should be");
        if (payload.Size < 0 || payload.Offset < 0 || payload.Offset > bundleSize) throw new InvalidDataException($"the sizes of payload {payload.Name} do not fit together");
        if (payload.Kind == BundlePayloadKind.Root && (payload.Size == 0 || payload.Size % VerityGeometry.BlockSize != 0))
            throw new InvalidDataException($"payload {payload.Name} is no whole number of blocks");
        if (payload.Chunks is { } chunks)
        {
            Validate(chunks.Index, LargestObject);
            Validate(chunks.Data, LargestObject);
        }
        if (payload.Patches.Count > MostPatches) throw new InvalidDataException($"payload {payload.Name} has too many patches");
        foreach (var patch in payload.Patches)
        {
            if (patch is null || !BundleRules.IsVersion(patch.FromVersion) || !BundleRules.IsSha256(patch.FromSha256) || patch.FromSize < 0) throw new InvalidDataException($"a patch of payload {payload.Name} is not described as it should be");
            Validate(patch.Patch, LargestObject);
        }
    }

    private static void Validate(ObjectReference reference, long largest)
    {
        // The path follows from the hash: nothing outside of objects/ can be named.
        if (reference is null || !BundleRules.IsSha256(reference.Sha256) || reference.Path != ObjectReference.PathFor(reference.Sha256)) throw new InvalidDataException("an object is not named by its hash");
        if (reference.Size is <= 0 || reference.Size > largest) throw new InvalidDataException("the size of an object is out of bounds");
    }

    private static T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            throw new InvalidDataException($"it cannot be read: {e.Message}", e);
        }
    }
}
