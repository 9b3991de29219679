using Appliance.Core.Bundles;
using Appliance.Core.Delta;
using Appliance.Core.Releases;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Trust;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Makes the patches from an earlier release.</summary>
internal static class ReleasePatches
{
    /// <summary>Makes a patch for every payload that the earlier release has, too, and keeps those that are smaller than the payload's frames.</summary>
    public static async Task<IReadOnlyDictionary<string, PatchReference>> MakeAsync(PublishedRelease from, BundleManifest manifest, UnpackedBundle bundle, RepositoryFolder folder, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var patches = new Dictionary<string, PatchReference>(StringComparer.Ordinal);
        await folder.RequireAsync(from.Release.Bundle, cancellationToken);
        var unpacked = Path.Combine(folder.Staging, "old");
        var old = await UnpackedBundle.UnpackAsync(folder.Locate(from.Release.Bundle.Path), unpacked, null, cancellationToken);
        var payloads = manifest.Payloads.Where(payload => old.Files.ContainsKey(payload.Name)).ToList();
        var total = payloads.Sum(payload => payload.Size);
        long before = 0;
        foreach (var payload in payloads)
        {
            var file = Path.Combine(folder.Staging, "patch");
            await using (var target = File.Create(file))
                await PatchWriter.WriteAsync(old.Files[payload.Name], bundle.Files[payload.Name], target, (done, _) => progress(before + done, total), cancellationToken);
            before += payload.Size;
            if (new FileInfo(file).Length >= payload.Frames.Sum(frame => (long)frame.Size)) continue; // it is no use
            var plain = old.Manifest.Payloads.Single(other => other.Name == payload.Name);
            patches.Add(payload.Name, new PatchReference { FromVersion = from.Offer.Version, FromSha256 = plain.Sha256, FromSize = plain.Size, Patch = await folder.PlaceAsync(file, cancellationToken) });
        }
        Directory.Delete(unpacked, recursive: true);
        return patches;
    }
}
