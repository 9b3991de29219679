using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Publish;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>Packs a workload's folder into a release: a bundle, ready to be published, or the payload alone.</summary>
internal sealed class WorkloadBuild(WorkloadBuildOptions options, IBuildObserver observer)
{
    private readonly StageClock _stages = new(observer);

    /// <summary>Writes the bundle.</summary>
    /// <param name="output">The file to write.</param>
    /// <param name="cancellationToken">Ends the build.</param>
    /// <returns>The release and its payload's size in bytes.</returns>
    /// <exception cref="UserError">The definition, a manifest or an image has a fault, or an image cannot be had.</exception>
    public Task<(WorkloadRelease Release, long Size)> WriteBundleAsync(string output, CancellationToken cancellationToken) => InWorkFolderAsync(async work =>
    {
        var payload = Path.Combine(work, WorkloadRelease.PayloadName);
        var (definition, release) = await AssembleAsync(work, payload, cancellationToken);
        await _stages.RunAsync("bundle", async report =>
        {
            var packed = await BundleWriter.PackAsync(new BundlePayloadFile(WorkloadRelease.PayloadName, BundlePayloadKind.Workload, payload), payload + ".zst", report, cancellationToken);
            await BundleWriter.WriteAsync(HeaderOf(definition), [packed], output, cancellationToken);
            return 0;
        });
        return (release, new FileInfo(payload).Length);
    });

    /// <summary>Writes the payload alone, for an image that brings the release itself.</summary>
    /// <param name="output">The file to write.</param>
    /// <param name="cancellationToken">Ends the build.</param>
    /// <exception cref="UserError">The definition, a manifest or an image has a fault, or an image cannot be had.</exception>
    public Task WritePayloadAsync(string output, CancellationToken cancellationToken) => InWorkFolderAsync(work => AssembleAsync(work, output, cancellationToken));

    /// <summary>Adds all that the payload depends on to a stage's key: what the manifests come to, wherever their parts are, and which images those are.</summary>
    /// <returns>False when only the build can say which images those are.</returns>
    /// <exception cref="UserError">The definition or a manifest has a fault.</exception>
    public async Task<bool> AddToAsync(StageKey key, CancellationToken cancellationToken)
    {
        var definition = WorkloadDefinition.Read(options.Folder);
        var objects = await ManifestFolder.ReadAsync(options.Folder, definition.Manifests, cancellationToken);
        key.Add("header", $"{definition.Id} {definition.Version} {definition.Architecture} {definition.SourceDate:O}").Add("objects", objects.Select(manifest => manifest.ToJsonString()));
        foreach (var rule in definition.Signatures.Rules) key.Add(rule.Images, rule.Key);
        var locked = ImageLock.Read(options.Folder);
        var known = true;
        foreach (var image in Wanted(objects, definition))
        {
            if (definition.Images.FirstOrDefault(given => given.Name == image) is { } given && Path.Combine(options.Folder, given.Archive) is var archive && File.Exists(archive)) key.AddFile(image.ToString(), archive);
            else if (locked.Find(definition.Architecture, image) is { } digest) key.Add(image.ToString(), digest);
            else known = false;
        }
        return known;
    }

    /// <summary>Beside the images, which have room; what a killed build leaves is cleared with the cache's other leftovers.</summary>
    private async Task<T> InWorkFolderAsync<T>(Func<string, Task<T>> build)
    {
        var work = Directory.CreateDirectory(Path.Combine(options.CacheFolder, $"work-workload-{Guid.NewGuid():N}{StageCache.Partial}")).FullName;
        try
        {
            return await build(work);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private async Task<(WorkloadDefinition Definition, WorkloadRelease Release)> AssembleAsync(string work, string payload, CancellationToken cancellationToken)
    {
        var definition = WorkloadDefinition.Read(options.Folder);
        var objects = await _stages.RunAsync("manifests", _ => ManifestFolder.ReadAsync(options.Folder, definition.Manifests, cancellationToken));
        var wanted = Wanted(objects, definition);
        var stored = await _stages.RunAsync("images", _ => FetchAsync(definition, wanted, cancellationToken));
        var plain = await _stages.RunAsync("layers", report => UnpackAsync(definition, stored, work, report, cancellationToken));
        var proofs = await FetchProofsAsync(definition, wanted, stored, plain, cancellationToken);
        var release = Pin(definition, objects, wanted, plain, proofs);
        // What no device would run is found out here.
        if (definition.Signatures.FindFaults(release) is { Count: > 0 } faults)
            throw new UserError($"The images of {definition.Id} {definition.Version} are not signed as {WorkloadDefinition.FileName} asks:{string.Concat(faults.Select(fault => $"\n  {fault}"))}", "Have them signed (cosign sign --key), name the key of who signs them, or leave out the rule.");
        await _stages.RunAsync("assemble", async report =>
        {
            await WorkloadArchive.WriteAsync(payload, release, plain, definition.SourceDate, report, cancellationToken);
            return 0;
        });
        return (definition, release);
    }

    private static BundleHeader HeaderOf(WorkloadDefinition definition) => new()
    {
        Kind = BundleKind.Workload,
        Id = definition.Id,
        Version = definition.Version,
        Board = BundleHeader.AnyBoard,
        Architecture = definition.Architecture,
        SourceDate = definition.SourceDate,
    };

    /// <summary>The images that the objects name, each once, in the order of their names.</summary>
    private static List<ImageReference> Wanted(IReadOnlyList<JsonObject> objects, WorkloadDefinition definition)
    {
        var wanted = new SortedDictionary<string, ImageReference>(StringComparer.Ordinal);
        foreach (var manifest in objects)
            foreach (var place in PodImages.Of(manifest))
            {
                var image = ImageReference.TryParse(place.Name) ?? throw new UserError($"{ObjectIdentity.Of(manifest)} names the image \"{place.Name}\", which is not the name of one.", "Example: docker.io/library/nginx:1.27");
                wanted[image.ToString()] = image;
            }
        if (definition.Images.FirstOrDefault(given => !wanted.ContainsKey(given.Name.ToString())) is { } unused)
            throw new UserError($"{WorkloadDefinition.FileName} gives an archive for {unused.Name}, and no manifest uses that image.", $"The manifests name: {(wanted.Count == 0 ? "none" : string.Join(", ", wanted.Keys))}");
        if (wanted.Count > WorkloadReleaseReader.MostImages) throw new UserError($"The workload uses {wanted.Count} images; {WorkloadReleaseReader.MostImages} is the most there may be.", "Split it into several workloads.");
        return [.. wanted.Values];
    }

    private async Task<IReadOnlyList<StoredImage>> FetchAsync(WorkloadDefinition definition, List<ImageReference> wanted, CancellationToken cancellationToken)
    {
        var locked = ImageLock.Read(options.Folder);
        var store = new ImageStore(Path.Combine(options.CacheFolder, "images"), definition.Architecture, line => observer.Output("images", line));
        var images = new List<StoredImage>();
        foreach (var image in wanted) images.Add(await FetchAsync(image));
        if (!options.Locked) locked.Write(definition.Architecture, wanted.Zip(images, (image, stored) => (image, stored.Digest)));
        return images;

        async Task<StoredImage> FetchAsync(ImageReference image)
        {
            var digest = options.Refresh ? null : locked.Find(definition.Architecture, image);
            if (definition.Images.FirstOrDefault(given => given.Name == image) is { } given)
            {
                var taken = await store.TakeAsync(Path.Combine(options.Folder, given.Archive), cancellationToken);
                return !options.Locked || taken.Digest == digest ? taken : throw new UserError($"{given.Archive} holds {taken.Digest}, and {locked.Path} locks {image} to {digest ?? "nothing"}.", "Build without --locked to take it.");
            }
            if (digest is not null) return await store.FetchAsync(image, digest, cancellationToken);
            return options.Locked ? throw new UserError($"{locked.Path} does not lock {image} for {definition.Architecture}.", "Build once without --locked; that adds it.") : await store.FetchNewestAsync(image, cancellationToken);
        }
    }

    /// <summary>The signatures of those images that the workload wants signed.</summary>
    private async Task<IReadOnlyList<ImageProof?>> FetchProofsAsync(WorkloadDefinition definition, List<ImageReference> wanted, IReadOnlyList<StoredImage> stored, IReadOnlyList<PlainImage> plain, CancellationToken cancellationToken)
    {
        var signatures = new SignatureStore(Path.Combine(options.CacheFolder, "images"), line => observer.Output("images", line));
        var proofs = new List<ImageProof?>();
        foreach (var (image, found, content) in wanted.Zip(stored, plain))
        {
            // A file has no registry to ask.
            var isSigned = definition.Signatures.RuleOf(image)?.Key is not null && definition.Images.All(given => given.Name != image);
            proofs.Add(isSigned ? await signatures.FetchAsync(image, found, proof => definition.Signatures.FindFault(Describe(image, content, proof)) is null, cancellationToken) : null);
        }
        return proofs;
    }

    private static WorkloadImage Describe(ImageReference image, PlainImage content, ImageProof? proof) => new()
    {
        Reference = image.ToString(),
        Pinned = image.Pin(content.Digest).ToString(),
        Manifest = content.Digest,
        Source = content.Source,
        Config = content.ConfigDigest,
        Proof = proof,
    };

    private static async Task<IReadOnlyList<PlainImage>> UnpackAsync(WorkloadDefinition definition, IReadOnlyList<StoredImage> images, string work, Action<long, long> report, CancellationToken cancellationToken)
    {
        var layers = Directory.CreateDirectory(Path.Combine(work, "layers")).FullName;
        var plain = new List<PlainImage>();
        long done = 0;
        foreach (var image in images) plain.Add(await PlainImage.UnpackAsync(image, layers, definition.Architecture, bytes => report(done += bytes, 0), cancellationToken));
        return plain;
    }

    /// <summary>The release, whose objects name the images as the device keeps them.</summary>
    private static WorkloadRelease Pin(WorkloadDefinition definition, IReadOnlyList<JsonObject> objects, List<ImageReference> wanted, IReadOnlyList<PlainImage> plain, IReadOnlyList<ImageProof?> proofs)
    {
        var images = wanted.Zip(plain, proofs).Select(found => Describe(found.First, found.Second, found.Third)).ToList();
        var pinned = images.ToDictionary(image => image.Reference, image => image.Pinned);
        foreach (var place in objects.SelectMany(PodImages.Of)) place.Set(pinned[ImageReference.TryParse(place.Name)!.ToString()]);
        // The same image may be named twice, by its tag and with its digest.
        var release = new WorkloadRelease { Format = WorkloadRelease.CurrentFormat, Id = definition.Id, Version = definition.Version, Architecture = definition.Architecture, Images = [.. images.DistinctBy(image => image.Pinned)], Objects = objects };
        WorkloadReleaseReader.Validate(release);
        return release;
    }
}
