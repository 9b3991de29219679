using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Pipeline;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Trust;

namespace Appliance.ImageBuilder.Publish;

/// <summary>
/// Adds a bundle to a repository. Objects come first, then the release document, then the metadata with its timestamp last: a
/// reader sees the old state or the new one. An interrupted publication is simply made again.
/// </summary>
/// <param name="options">What to publish.</param>
/// <param name="metadata">The repository's metadata.</param>
/// <param name="folder">The repository's folder.</param>
/// <param name="observer">Sees how it goes.</param>
/// <param name="server">The server whose repository it is, of which the folder is a part; null when the folder is the repository.</param>
internal sealed class Publication(PublishOptions options, TufRepositoryWriter metadata, RepositoryFolder folder, IBuildObserver observer, ServerRepository? server = null)
{
    private readonly StageClock _stages = new(observer);

    /// <summary>Publishes.</summary>
    /// <exception cref="UserError">The bundle or the repository is not usable, or the version is published with another content.</exception>
    public async Task<PublishResult> RunAsync(CancellationToken cancellationToken)
    {
        folder.ResetStaging();
        try
        {
            var before = AllReleases();
            var bundle = await _stages.RunAsync("read", report => UnpackedBundle.UnpackAsync(options.Bundle, Path.Combine(folder.Staging, "new"), report, cancellationToken));
            var siblings = Siblings(before, bundle.Manifest.Header);
            var present = siblings.FirstOrDefault(sibling => sibling.Release.Header.Version == bundle.Manifest.Header.Version);
            if (present is not null) RequireSame(present, bundle.Manifest);
            var release = present?.Release ?? await MakeReleaseAsync(bundle, siblings, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            var result = await CommitAsync(release, present, siblings, before, cancellationToken);
            // Last: a rollout is stopped also where the release is damaged.
            if (present is not null && server is null) await RepairAsync(release, bundle, siblings, cancellationToken);
            return result;
        }
        finally
        {
            folder.RemoveStaging();
        }
    }

    /// <summary>Makes objects of a published release anew that are missing or damaged.</summary>
    /// <exception cref="UserError">What is made now is something else.</exception>
    private async Task RepairAsync(Release release, UnpackedBundle bundle, IReadOnlyList<PublishedRelease> siblings, CancellationToken cancellationToken)
    {
        if (await FindDamagedAsync(release, cancellationToken) is not { } damaged) return;
        observer.Warning($"{damaged.Path} of version {release.Header.Version} is missing or damaged; its objects are made anew.");
        await MakeReleaseAsync(bundle, siblings, cancellationToken);
        if (await FindDamagedAsync(release, cancellationToken) is { } still)
            throw new UserError($"{still.Path} of version {release.Header.Version} is missing or damaged, and what is made of the bundle now is another one. Channel and rollout are as you asked.", "Publish with the options of the first time, restore the file from a backup or a mirror, or publish the content as a new version.");
    }

    private Task<ObjectReference?> FindDamagedAsync(Release release, CancellationToken cancellationToken) => _stages.RunAsync("check", async _ =>
    {
        foreach (var reference in release.Objects())
            if (!await folder.HasAsync(reference, cancellationToken)) return reference;
        return null;
    });

    private async Task<Release> MakeReleaseAsync(UnpackedBundle bundle, IReadOnlyList<PublishedRelease> siblings, CancellationToken cancellationToken)
    {
        var (manifest, reference, offsets) = await RepackAsync(bundle, cancellationToken);
        var chunks = !options.Chunks ? new Dictionary<string, ChunkReference>() : await _stages.RunAsync("chunks", report => ReleaseChunks.MakeAsync(bundle, folder, report, cancellationToken));
        var patches = await MakePatchesAsync(manifest, bundle, siblings, cancellationToken);
        return new Release
        {
            Format = Release.CurrentFormat,
            Header = manifest.Header,
            Notes = options.Notes,
            Manifest = folder.PlaceBytes(BundleManifestReader.Compress(manifest)),
            Bundle = reference,
            Payloads = manifest.Payloads.Select(payload => new ReleasePayload
            {
                Name = payload.Name,
                Kind = payload.Kind,
                Size = payload.Size,
                Sha256 = payload.Sha256,
                Offset = offsets[payload.Name],
                Chunks = chunks.GetValueOrDefault(payload.Name),
                Patches = patches.GetValueOrDefault(payload.Name) ?? [],
            }).ToList(),
        };
    }

    /// <summary>Compresses the payloads again, strongly this time: it is done once and downloaded often.</summary>
    private Task<(BundleManifest, ObjectReference, IReadOnlyDictionary<string, long>)> RepackAsync(UnpackedBundle bundle, CancellationToken cancellationToken) => _stages.RunAsync("compress", async report =>
    {
        var packed = new List<PackedPayload>();
        var total = bundle.Manifest.Payloads.Sum(payload => payload.Size);
        long before = 0;
        foreach (var payload in bundle.Manifest.Payloads)
        {
            var file = new BundlePayloadFile(payload.Name, payload.Kind, bundle.Files[payload.Name]);
            packed.Add(await BundleWriter.PackAsync(file, Path.Combine(folder.Staging, $"{payload.Name}.packed"), (done, _) => report(before + done, total), cancellationToken, options.Level));
            before += payload.Size;
        }
        var path = Path.Combine(folder.Staging, "bundle");
        await BundleWriter.WriteAsync(bundle.Manifest.Header, packed, path, cancellationToken);
        foreach (var payload in packed) File.Delete(payload.Path);
        var offsets = await UnpackedBundle.OffsetsAsync(path, cancellationToken);
        var reference = await folder.PlaceAsync(path, cancellationToken);
        return (bundle.Manifest with { Payloads = packed.Select(payload => payload.Payload).ToList() }, reference, offsets);
    });

    private async Task<Dictionary<string, List<PatchReference>>> MakePatchesAsync(BundleManifest manifest, UnpackedBundle bundle, IReadOnlyList<PublishedRelease> siblings, CancellationToken cancellationToken)
    {
        var patches = new Dictionary<string, List<PatchReference>>();
        var older = siblings.Where(sibling => UapiVersion.Compare(sibling.Offer.Version, manifest.Header.Version) < 0)
            .OrderByDescending(sibling => sibling.Offer.Version, UapiVersion.Comparer).Take(options.Patches);
        foreach (var from in older)
        {
            var made = await _stages.RunAsync($"patch {from.Offer.Version}", report => ReleasePatches.MakeAsync(from, manifest, bundle, folder, report, cancellationToken));
            foreach (var (payload, patch) in made) (patches.TryGetValue(payload, out var list) ? list : patches[payload] = []).Add(patch);
        }
        return patches;
    }

    private async Task<PublishResult> CommitAsync(Release release, PublishedRelease? present, IReadOnlyList<PublishedRelease> siblings, IReadOnlyList<PublishedRelease> before, CancellationToken cancellationToken)
    {
        var header = release.Header;
        var rollout = options.Rollout ?? present?.Offer.Rollout ?? 100;
        var offer = new ReleaseOffer { Id = header.Id, Version = header.Version, Board = header.Board, Architecture = header.Architecture, Rollout = rollout, MinimumVersion = header.MinimumVersion, Kind = header.Kind };
        var custom = JsonSerializer.SerializeToElement(offer, ReleaseJson.Default.ReleaseOffer);
        TargetFile target;
        if (present is null)
        {
            var bytes = JsonSerializer.SerializeToUtf8Bytes(release, ReleaseJson.Default.Release);
            target = TargetFile.Of($"{options.Channel}/{NameOf(header)}.json", bytes, custom);
            folder.WriteOnce(target.PathInRepository(consistentSnapshot: true), bytes);
        }
        else target = present.Target with { Custom = custom };
        metadata.SetTarget(options.Channel, target);
        var dropped = Dropped(header.Version, siblings);
        foreach (var old in dropped) metadata.RemoveTarget(options.Channel, old.Target.Path);
        var renewed = metadata.RenewDue();
        var changed = server is null ? await _stages.RunAsync("sign", _ => Task.FromResult(metadata.Commit()))
            : await _stages.RunAsync("send", report => server.CommitAsync(metadata, [target.PathInRepository(consistentSnapshot: true), .. release.Objects().Select(reference => reference.Path).Where(path => File.Exists(folder.Locate(path)))], isThere: present is not null, report, cancellationToken));
        // A device that read the metadata just before this commit still finds everything it says.
        var keep = before.Concat(AllReleases()).SelectMany(entry => entry.Files()).ToHashSet(StringComparer.Ordinal);
        var freed = folder.Sweep("objects", keep) + folder.Sweep("targets", keep);
        return new PublishResult(release, rollout, changed, present is not null, dropped.Select(old => old.Offer.Version).ToList(), freed, [.. renewed.Warnings]);
    }

    private List<PublishedRelease> Dropped(string version, IReadOnlyList<PublishedRelease> siblings) => options.Keep is not { } keep ? [] :
        siblings.Where(sibling => sibling.Offer.Version != version).OrderByDescending(sibling => sibling.Offer.Version, UapiVersion.Comparer).Skip(keep - 1).ToList();

    private List<PublishedRelease> AllReleases() =>
        metadata.Channels.SelectMany(channel => PublishedRelease.ReadAll(folder.Path, metadata.TargetsOf(channel.Name))).ToList();

    private static string NameOf(BundleHeader header) => header.Kind == BundleKind.Workload
        ? $"{header.Id}_{header.Version}_{header.Architecture}.workload"
        : $"{header.Id}_{header.Version}_{header.Board}_{header.Architecture}";

    /// <summary>The channel's releases for the same devices.</summary>
    private List<PublishedRelease> Siblings(IReadOnlyList<PublishedRelease> all, BundleHeader header) =>
        all.Where(entry => entry.Target.Path.StartsWith($"{options.Channel}/", StringComparison.Ordinal) && entry.Offer.Kind == header.Kind && entry.Offer.Id == header.Id && entry.Offer.Board == header.Board && entry.Offer.Architecture == header.Architecture).ToList();

    private void RequireSame(PublishedRelease present, BundleManifest bundle)
    {
        var same = present.Release.Header == bundle.Header && present.Release.Payloads.Select(payload => (payload.Name, payload.Sha256)).SequenceEqual(bundle.Payloads.Select(payload => (payload.Name, payload.Sha256)));
        if (!same)
            throw new UserError($"Version {bundle.Header.Version} is published in {options.Channel} already, with another content.", "A version never changes once devices may have it: raise `version` in the definition and build again.");
    }
}
