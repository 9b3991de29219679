namespace Appliance.Core.Releases;

/// <summary>
/// A bundle that carries its signatures: a tar archive with the repository's metadata, the release and its manifest in front,
/// then the published bundle byte for byte, so that what holds for the one holds for the other at a shifted offset.
/// </summary>
public static class OfflineBundle
{
    /// <summary>Archive folder with the TUF metadata.</summary>
    public const string MetadataFolder = "metadata/";

    /// <summary>Archive member with the release.</summary>
    public const string ReleaseName = "release.json";

    /// <summary>Archive member with the compressed manifest.</summary>
    public const string ManifestName = "release-manifest.zst";

    /// <summary>Largest size of all members before the bundle together, in bytes.</summary>
    public const int LargestFront = 32 << 20;
}
