using System.Text.Json;
using ZstdSharp;

namespace Appliance.Core.Bundles;

/// <summary>Reads a manifest from bytes that may be anything.</summary>
public static class BundleManifestReader
{
    /// <summary>Largest manifest in bytes; one of 64 GiB of payloads has about 1.5 MiB.</summary>
    public const int LargestManifest = 8 << 20;

    private const long LargestPayload = 64L << 30;
    private const int MostPayloads = 64;

    /// <summary>Reads and validates a manifest.</summary>
    /// <param name="utf8">Its JSON.</param>
    /// <exception cref="UserError">It is of a newer format.</exception>
    /// <exception cref="InvalidDataException">It is no manifest, or inconsistent.</exception>
    public static BundleManifest Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > LargestManifest) throw new InvalidDataException("its manifest is too large");
        try
        {
            FormatNumber.Require(utf8, BundleManifest.CurrentFormat, "bundle");
            var manifest = JsonSerializer.Deserialize(utf8.Span, BundleJson.Default.BundleManifest) ?? throw new InvalidDataException("its manifest is empty");
            Validate(manifest);
            return manifest;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            throw new InvalidDataException($"its manifest cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Unpacks and reads a manifest that was compressed with <see cref="Compress"/>.</summary>
    public static BundleManifest ParseCompressed(ReadOnlySpan<byte> packed)
    {
        try
        {
            // Of a frame that does not say its size, or says too large a one, nothing is allocated.
            if (Decompressor.GetDecompressedSize(packed) > LargestManifest) throw new InvalidDataException("its manifest is too large");
            using var decompressor = new Decompressor();
            return Parse(decompressor.Unwrap(packed, LargestManifest).ToArray());
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException($"its manifest cannot be unpacked: {e.Message}", e);
        }
    }

    /// <summary>A manifest as the repository keeps it. Equal manifests give equal bytes.</summary>
    public static byte[] Compress(BundleManifest manifest)
    {
        using var compressor = new Compressor(19);
        return compressor.Wrap(JsonSerializer.SerializeToUtf8Bytes(manifest, BundleJson.Default.BundleManifest)).ToArray();
    }

    private static void Validate(BundleManifest manifest)
    {
        if (BundleRules.Fault(manifest.Header) is { } fault) throw new InvalidDataException(fault);
        if (manifest.Payloads.Count > MostPayloads) throw new InvalidDataException("it has too many payloads");
        if (manifest.Payloads.Any(payload => payload is null)) throw new InvalidDataException("a payload is empty");
        if (manifest.Payloads.Select(payload => payload.Name).Distinct(StringComparer.Ordinal).Count() != manifest.Payloads.Count) throw new InvalidDataException("two payloads have one name");
        foreach (var payload in manifest.Payloads) Validate(payload);
        if (BundleRules.Fault(manifest.Header.Kind, manifest.Payloads.Select(payload => payload.Kind)) is { } unfit) throw new InvalidDataException(unfit);
    }

    private static void Validate(BundlePayload payload)
    {
        if (!BundleRules.IsName(payload.Name)) throw new InvalidDataException("the name of a payload is not one");
        if (!Enum.IsDefined(payload.Kind)) throw new InvalidDataException($"payload {payload.Name} is of an unknown kind");
        if (payload.Size is < 0 or > LargestPayload || payload.FrameSize is <= 0 or > FrameCompressor.FrameSize
            || (payload.Size + payload.FrameSize - 1) / payload.FrameSize != payload.Frames.Count
            || payload.Frames.Any(frame => frame is null || frame.Size is <= 0 or > FrameCompressor.LargestFrame))
            throw new InvalidDataException($"the sizes of payload {payload.Name} do not fit together");
        if (!BundleRules.IsSha256(payload.Sha256) || payload.Frames.Any(frame => !BundleRules.IsSha256(frame.Sha256)))
            throw new InvalidDataException($"a hash of payload {payload.Name} is not one");
    }
}
