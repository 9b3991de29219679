using System.Formats.Tar;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Exports a release of a repository as one file with its signatures, for USB sticks and uploads.</summary>
/// <param name="repository">Folder of the repository.</param>
/// <param name="channel">Channel of the release.</param>
/// <param name="version">Version; null for the newest.</param>
/// <param name="time">The clock for the repository's expiry.</param>
/// <param name="id">Id of an image or a workload; null for the channel's image.</param>
internal sealed class OfflineExport(string repository, string channel, string? version, TimeProvider time, string? id = null)
{
    private readonly RepositoryFolder _folder = new(repository);

    /// <summary>Writes the file beside its place and gives it its name when it is whole.</summary>
    /// <exception cref="UserError">The repository is not to be trusted, or lacks the version.</exception>
    public async Task<PublishedRelease> WriteAsync(string path, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        using var trusted = await TrustedRepository.OpenAsync(new FolderSource(_folder.Path), null, time, cancellationToken);
        var release = Choose(PublishedRelease.ReadAll(_folder.Path, await trusted.Client.ReadChannelAsync(channel, cancellationToken)));
        var partial = $"{path}.partial";
        try
        {
            await using (var output = new FileStream(partial, FileMode.Create, FileAccess.Write))
            {
                var date = release.Release.Header.SourceDate;
                foreach (var (name, bytes) in Metadata(trusted.Client.Trusted)) await AddAsync(output, OfflineBundle.MetadataFolder + name, bytes, date, cancellationToken);
                await AddAsync(output, OfflineBundle.ReleaseName, await ReadAsync(release.Path), date, cancellationToken);
                await AddAsync(output, OfflineBundle.ManifestName, await ReadAsync(release.Release.Manifest.Path), date, cancellationToken);
                await CopyAsync(_folder.Locate(release.Release.Bundle.Path), output, progress, cancellationToken);
                output.Flush(flushToDisk: true);
            }
            File.Move(partial, path, overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
            return release;
        }
        finally
        {
            File.Delete(partial);
        }

        async Task<ReadOnlyMemory<byte>> ReadAsync(string name) => await File.ReadAllBytesAsync(_folder.Locate(name), cancellationToken);
    }

    private PublishedRelease Choose(IReadOnlyList<PublishedRelease> releases)
    {
        if (id is null && releases.All(release => release.Offer.Kind != BundleKind.Image) && releases.Count > 0) throw new UserError($"The channel {channel} has no image.", $"Name one of its workloads with --id: {string.Join(", ", releases.Select(release => release.Offer.Id).Distinct())}");
        if (id is not null && releases.All(release => release.Offer.Id != id)) throw new UserError($"The channel {channel} has nothing with the id {id}.", $"It has: {string.Join(", ", releases.Select(release => release.Offer.Id).Distinct())}");
        releases = [.. releases.Where(release => id is null ? release.Offer.Kind == BundleKind.Image : release.Offer.Id == id)];
        var wanted = releases.Where(release => version is null || release.Offer.Version == version).OrderByDescending(release => release.Offer.Version, UapiVersion.Comparer).ToList();
        if (wanted.Count == 0) throw new UserError($"The channel {channel} has no version {version ?? "at all"}.", $"It has: {string.Join(", ", releases.Select(release => release.Offer.Version))}");
        var same = wanted.Where(release => release.Offer.Version == wanted[0].Offer.Version).ToList();
        return same.Count == 1 ? same[0] : throw new UserError($"The channel {channel} has version {same[0].Offer.Version} for several boards: {string.Join(", ", same.Select(release => $"{release.Offer.Id} for {release.Offer.Board}"))}.", "Publish boards in channels of their own to export them.");
    }

    /// <summary>
    /// The files a client asks for: every root, for devices that have been off for long, and the newest of the rest, as they were
    /// verified: somebody may publish meanwhile.
    /// </summary>
    private IEnumerable<(string Name, ReadOnlyMemory<byte> Bytes)> Metadata(TrustedMetadata trusted)
    {
        for (var root = 1L; root <= trusted.Root.Version; root++)
        {
            var path = _folder.Locate($"metadata/{root}.root.json");
            if (File.Exists(path)) yield return (Path.GetFileName(path), File.ReadAllBytes(path));
        }
        yield return ("timestamp.json", trusted.Timestamp!.Envelope.Bytes);
        yield return ($"{trusted.Snapshot!.Version}.snapshot.json", trusted.Snapshot.Envelope.Bytes);
        yield return ($"{trusted.Targets!.Version}.targets.json", trusted.Targets.Envelope.Bytes);
        yield return ($"{trusted.TargetsOf(channel)!.Version}.{channel}.json", trusted.TargetsOf(channel)!.Envelope.Bytes);
    }

    /// <summary>Adds a member without ending the archive.</summary>
    private static async Task AddAsync(Stream output, string name, ReadOnlyMemory<byte> bytes, DateTimeOffset date, CancellationToken cancellationToken)
    {
        using var member = new MemoryStream();
        await using (var tar = new TarWriter(member, TarEntryFormat.Ustar, leaveOpen: true))
        {
            await using var content = new MemoryStream(bytes.ToArray());
            await tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = date, Mode = DurableFile.Readable }, cancellationToken);
        }
        const int end = 2 * 512; // two blocks of zeros end an archive; the bundle brings its own
        await output.WriteAsync(member.GetBuffer().AsMemory(0, (int)member.Length - end), cancellationToken);
    }

    private static async Task CopyAsync(string path, Stream output, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        await using var bundle = File.OpenRead(path);
        var buffer = new byte[1 << 20];
        for (long done = 0; ;)
        {
            var read = await bundle.ReadAsync(buffer, cancellationToken);
            if (read == 0) return;
            await output.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            progress?.Invoke(done += read, bundle.Length);
        }
    }
}
