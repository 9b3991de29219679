using Appliance.Core.Bundles;

namespace Appliance.Core.Releases;

/// <summary>
/// A version as a channel offers it: the target that TUF signs. Everything else of the version is verified by a size and a
/// SHA-256 that are reachable from here.
/// </summary>
public sealed record Release
{
    /// <summary>The format this program writes and reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Format version; a reader refuses newer ones.</summary>
    public required int Format { get; init; }

    /// <summary>What the bundle is.</summary>
    public required BundleHeader Header { get; init; }

    /// <summary>What is new, in words, or null.</summary>
    public string? Notes { get; init; }

    /// <summary>The bundle's manifest, compressed with zstd.</summary>
    public required ObjectReference Manifest { get; init; }

    /// <summary>The bundle.</summary>
    public required ObjectReference Bundle { get; init; }

    /// <summary>The payloads in the order of the bundle.</summary>
    public required IReadOnlyList<ReleasePayload> Payloads { get; init; }

    /// <summary>Every object this release refers to.</summary>
    public IEnumerable<ObjectReference> Objects()
    {
        yield return Manifest;
        yield return Bundle;
        foreach (var payload in Payloads)
        {
            if (payload.Chunks is { } chunks)
            {
                yield return chunks.Index;
                yield return chunks.Data;
            }
            foreach (var patch in payload.Patches) yield return patch.Patch;
        }
    }
}
