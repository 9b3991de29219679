using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

namespace Appliance.ImageBuilder.Publish;

/// <summary>One side of a comparison: plain payloads, and the bill of materials where there is one.</summary>
/// <param name="Name">What to call it.</param>
/// <param name="Files">Plain payloads by name.</param>
/// <param name="Packed">Compressed sizes by payload; empty for a plain image.</param>
/// <param name="Bill">Path of the CycloneDX bill of materials, or null.</param>
internal sealed record DiffSubject(string Name, IReadOnlyDictionary<string, string> Files, IReadOnlyDictionary<string, long> Packed, string? Bill)
{
    /// <summary>Payload name of a root file system, by which plain images are compared with bundles.</summary>
    private const string RootName = "root.erofs";

    private const string BillName = "sbom.cdx.json";

    /// <summary>What a workload's bundle says of itself; null for an operating system.</summary>
    public WorkloadRelease? Release { get; private init; }

    /// <summary>Opens what a person wrote: a bundle, the folder of a build, a root image, or <c>REPOSITORY@[CHANNEL/]VERSION</c>.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="id">Id of what is meant in a repository; null for its images, and for workloads where no image has the version.</param>
    /// <param name="work">Folder for unpacked payloads.</param>
    /// <param name="time">The clock for the repository's expiry.</param>
    /// <param name="progress">Bytes unpacked so far and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">There is no such thing.</exception>
    public static async Task<DiffSubject> OpenAsync(string text, string? id, string work, TimeProvider time, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        if (Directory.Exists(text))
        {
            var bundles = Directory.GetFiles(text, "*.bundle");
            return bundles.Length == 1 ? await OfBundleAsync(text, bundles[0], work, progress, cancellationToken)
                : throw new UserError($"{text} holds {bundles.Length} bundles.", "Name the folder of a build, a bundle, or REPOSITORY@VERSION.");
        }
        if (File.Exists(text)) return text.EndsWith(BundleRules.Extension, StringComparison.Ordinal) ? await OfBundleAsync(text, text, work, progress, cancellationToken) : OfImage(text);
        var at = text.LastIndexOf('@');
        if (at > 0 && Directory.Exists(text[..at])) return await OfRepositoryAsync(text[..at], text[(at + 1)..], id, text, work, time, progress, cancellationToken);
        throw new UserError($"There is no {text}.", "Name a bundle, the folder of a build, a root image, or REPOSITORY@[CHANNEL/]VERSION.");
    }

    private static DiffSubject OfImage(string path) => new(path, new Dictionary<string, string> { [RootName] = path }, new Dictionary<string, long>(), null);

    private static async Task<DiffSubject> OfBundleAsync(string name, string path, string work, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        var unpacked = await UnpackedBundle.UnpackAsync(path, work, progress, cancellationToken);
        var packed = unpacked.Manifest.Payloads.ToDictionary(payload => payload.Name, payload => payload.Frames.Sum(frame => (long)frame.Size));
        var bill = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, BillName);
        return new DiffSubject(name, unpacked.Files, packed, File.Exists(bill) ? bill : null) { Release = await ReadReleaseAsync(name, unpacked.Files, cancellationToken) };
    }

    private static async Task<WorkloadRelease?> ReadReleaseAsync(string name, IReadOnlyDictionary<string, string> files, CancellationToken cancellationToken)
    {
        if (!files.TryGetValue(WorkloadRelease.PayloadName, out var payload)) return null;
        try
        {
            await using var stream = File.OpenRead(payload);
            return await WorkloadArchiveReader.ReadReleaseAsync(stream, cancellationToken);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"{name} holds a workload that cannot be read: {e.Message}", "Pack it again with appliance bundle --workload.", e);
        }
    }

    private static async Task<DiffSubject> OfRepositoryAsync(string path, string wanted, string? id, string name, string work, TimeProvider time, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        var slash = wanted.IndexOf('/');
        var (channel, version) = slash < 0 ? (null, wanted) : (wanted[..slash], wanted[(slash + 1)..]);
        var folder = new RepositoryFolder(path);
        using var trusted = await TrustedRepository.OpenAsync(new FolderSource(path), null, time, cancellationToken);
        foreach (var candidate in trusted.Channels.Where(candidate => channel is null || candidate == channel))
        {
            var release = PublishedRelease.ReadAll(folder.Path, await trusted.Client.ReadChannelAsync(candidate, cancellationToken))
                .Where(release => release.Offer.Version == version && (id is null || release.Offer.Id == id)).MinBy(release => release.Offer.Kind);
            if (release is not null) return await OfBundleAsync(name, folder.Locate(release.Release.Bundle.Path), work, progress, cancellationToken);
        }
        throw new UserError($"{path} has no version {version}{(id is null ? "" : $" of {id}")}{(channel is null ? "" : $" in {channel}")}.", $"Its channels: {string.Join(", ", trusted.Channels)}");
    }
}
