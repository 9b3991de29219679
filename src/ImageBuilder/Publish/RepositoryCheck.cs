using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Images;
using Appliance.Core.Releases;
using Appliance.Core.Verity;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Workloads;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Checks everything a device could come to rely on, and goes on after a fault to find the others.</summary>
internal sealed class RepositoryCheck(string? root, TimeProvider time, IBuildObserver observer)
{
    private readonly StageClock _stages = new(observer);
    private readonly List<string> _faults = [];

    /// <summary>Checks a repository.</summary>
    /// <exception cref="UserError">The metadata are not to be trusted, so that nothing else can be said.</exception>
    public async Task<CheckReport> CheckRepositoryAsync(string path, CancellationToken cancellationToken)
    {
        var folder = new RepositoryFolder(path);
        var releases = new List<PublishedRelease>();
        var channels = await _stages.RunAsync("signatures", async _ =>
        {
            using var trusted = await TrustedRepository.OpenAsync(new FolderSource(folder.Path), root, time, cancellationToken);
            foreach (var channel in trusted.Channels)
                foreach (var target in await trusted.Client.ReadChannelAsync(channel, cancellationToken)) Try(target.Path, () => releases.AddRange(PublishedRelease.ReadAll(folder.Path, [target])));
            return trusted.Channels;
        });
        var objects = releases.SelectMany(release => release.Release.Objects()).Distinct().ToList();
        var sound = await _stages.RunAsync("hashes", report => CheckHashesAsync(folder, objects, report, cancellationToken));
        foreach (var release in releases.DistinctBy(release => release.Target.Hashes.Sha256))
        {
            var missing = release.Release.Objects().Where(reference => !sound.Contains(reference)).ToList();
            if (missing.Count > 0) continue;
            await _stages.RunAsync($"bundle {release.Offer.Version}", report => CheckReleaseAsync(folder, release, report, cancellationToken));
        }
        await new DeltaCheck(folder, releases, sound, Fault, _stages).RunAsync(cancellationToken);
        return new CheckReport(channels, releases.Select(release => release.Target.Path).ToList(), objects.Count, objects.Sum(reference => reference.Size), _faults);
    }

    /// <summary>Checks a bundle: one of a build, or one that carries its signatures.</summary>
    /// <exception cref="UserError">It is no bundle, or its metadata are not to be trusted.</exception>
    public async Task<CheckReport> CheckBundleAsync(string path, CancellationToken cancellationToken)
    {
        long start = 0;
        var (channels, targets) = (new List<string>(), new List<string>());
        Release? release = null;
        if (await IsOfflineAsync(path, cancellationToken))
        {
            await using var source = (BundleSource)await RepositoryLocation.OpenAsync(path, null, cancellationToken);
            await _stages.RunAsync("signatures", async _ =>
            {
                using var trusted = await TrustedRepository.OpenAsync(source, root, time, cancellationToken);
                release = await ReadCarriedAsync(trusted, source, channels, targets, cancellationToken);
                try
                {
                    await source.ReadObjectAsync(release.Manifest, cancellationToken);
                }
                catch (InvalidDataException)
                {
                    Fault($"{path}: its {OfflineBundle.ManifestName} is not what the release was signed with");
                }
                return 0;
            });
            start = source.BundleOffset;
        }
        else if (root is not null) throw new UserError($"{path} carries no signatures to compare with {root}.", "Only what `appliance bundle` exports carries them; leave --root out to check the content.");
        await _stages.RunAsync("frames", async report =>
        {
            await using var stream = File.OpenRead(path);
            stream.Position = start;
            // Its own manifest is not signed: what is, is the bundle as a whole.
            if (release is not null && (stream.Length - start != release.Bundle.Size || !await release.Bundle.IsContentOfAsync(stream, cancellationToken)))
                Fault($"{path}: its content is not what the release was signed with");
            stream.Position = start;
            var manifest = await CheckFramesAsync(stream, path, report, cancellationToken);
            if (release is not null && manifest.Header != release.Header) Fault($"{path}: the signed release describes another bundle");
            targets.Add($"{manifest.Header.Id}_{manifest.Header.Version}");
            return 0;
        });
        return new CheckReport(channels, targets, 1, new FileInfo(path).Length, _faults);
    }

    private static async Task<Release> ReadCarriedAsync(TrustedRepository trusted, BundleSource source, List<string> channels, List<string> targets, CancellationToken cancellationToken)
    {
        foreach (var channel in trusted.Channels.Where(source.CarriesChannel))
        {
            var target = (await trusted.Client.ReadChannelAsync(channel, cancellationToken)).FirstOrDefault(target => target.Hashes.Sha256 == source.OnlyRelease);
            if (target is null) continue;
            channels.Add(channel);
            targets.Add(target.Path);
            return ReleaseReader.Parse(await trusted.Client.ReadTargetAsync(target, ReleaseReader.LargestRelease, cancellationToken));
        }
        throw new UserError("The bundle's release is in none of its channels.", "Export it again with `appliance bundle`.");
    }

    private async Task<HashSet<ObjectReference>> CheckHashesAsync(RepositoryFolder folder, List<ObjectReference> objects, Action<long, long> report, CancellationToken cancellationToken)
    {
        var sound = new HashSet<ObjectReference>();
        var total = objects.Sum(reference => reference.Size);
        long done = 0;
        foreach (var reference in objects)
        {
            var file = new FileInfo(folder.Locate(reference.Path));
            if (!file.Exists) Fault($"{reference.Path} is missing");
            else if (file.Length != reference.Size) Fault($"{reference.Path} has {file.Length} bytes instead of {reference.Size}");
            else if (await folder.HasAsync(reference, cancellationToken)) sound.Add(reference);
            else Fault($"{reference.Path} is damaged");
            report(done += reference.Size, total);
        }
        return sound;
    }

    private async Task<int> CheckReleaseAsync(RepositoryFolder folder, PublishedRelease published, Action<long, long> report, CancellationToken cancellationToken)
    {
        var release = published.Release;
        try
        {
            var manifest = ReleaseReader.ParseManifest(release, await File.ReadAllBytesAsync(folder.Locate(release.Manifest.Path), cancellationToken));
            var path = folder.Locate(release.Bundle.Path);
            await using var stream = File.OpenRead(path);
            var inside = await CheckFramesAsync(stream, path, report, cancellationToken);
            if (!JsonSerializer.SerializeToUtf8Bytes(manifest, BundleJson.Default.BundleManifest).AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(inside, BundleJson.Default.BundleManifest)))
                Fault($"{published.Target.Path}: its manifest and the one in its bundle differ");
            var offsets = await UnpackedBundle.OffsetsAsync(path, cancellationToken);
            foreach (var payload in release.Payloads.Where(payload => offsets.GetValueOrDefault(payload.Name) != payload.Offset)) Fault($"{published.Target.Path}: payload {payload.Name} is not where it says");
        }
        catch (Exception e) when (e is UserError or InvalidDataException)
        {
            Fault($"{published.Target.Path}: {e.Message}");
        }
        return 0;
    }

    /// <summary>Unpacks every frame, and computes the root hash as a device would.</summary>
    private async Task<BundleManifest> CheckFramesAsync(Stream stream, string path, Action<long, long> report, CancellationToken cancellationToken)
    {
        await using var reader = await BundleReader.OpenAsync(stream, path, cancellationToken);
        var header = reader.Manifest.Header;
        var salt = Convert.FromHexString(header.Salt ?? "");
        long done = 0;
        var total = reader.Manifest.Payloads.Sum(payload => payload.Size);
        foreach (var next in reader.Manifest.Payloads)
        {
            await using var workload = next.Kind == BundlePayloadKind.Workload ? new WorkloadCheck(header, cancellationToken) : null;
            var tree = next.Kind == BundlePayloadKind.Root && next.Size > 0 && next.Size % VerityGeometry.BlockSize == 0 ? new VerityTreeWriter(next.Size, salt, ImageIdentity.NameBased(header.Id, "verity"), (_, _) => { }) : null;
            await reader.ReadNextAsync(plain =>
            {
                if (tree is not null)
                {
                    var digests = new byte[plain.Length / VerityGeometry.BlockSize * VerityGeometry.DigestSize];
                    VerityTreeWriter.HashBlocks(plain.Span, salt, digests);
                    tree.Append(digests);
                }
                report(done += plain.Length, total);
                return workload?.AppendAsync(plain) ?? ValueTask.CompletedTask;
            }, cancellationToken);
            if (workload is not null && await workload.FinishAsync() is { } fault) Fault($"{path}: {next.Name} is no workload release that can be applied: {fault}");
            if (tree is not null && tree.Finish() != header.RootHash) Fault($"{path}: the root hash of {next.Name} is not the one the bundle says");
        }
        return reader.Manifest;
    }

    private static async Task<bool> IsOfflineAsync(string path, CancellationToken cancellationToken)
    {
        await using var stream = File.OpenRead(path);
        var block = new byte[TarHeader.BlockSize];
        try
        {
            await stream.ReadExactlyAsync(block, cancellationToken);
            return TarHeader.Parse(block) is { } header && header.Name != BundleWriter.ManifestName;
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidDataException)
        {
            return false; // the bundle's reader says what is wrong with it
        }
    }

    private void Try(string what, Action check)
    {
        try
        {
            check();
        }
        catch (UserError e)
        {
            Fault($"{what}: {e.Message}");
        }
    }

    private void Fault(string fault) => _faults.Add(fault);
}
