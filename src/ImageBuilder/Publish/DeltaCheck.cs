using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Chunks;
using Appliance.Core.Delta;
using Appliance.Core.Releases;
using Appliance.UpdateClient.Chunks;
using Appliance.UpdateClient.Publish;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Checks that patches and chunks make the payloads they are for, the way devices apply them.</summary>
internal sealed class DeltaCheck(RepositoryFolder folder, IReadOnlyList<PublishedRelease> releases, IReadOnlySet<ObjectReference> sound, Action<string> fault, StageClock stages)
{
    /// <summary>Checks all of them.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var work = Directory.CreateTempSubdirectory("appliance-verify");
        try
        {
            var chunked = releases.SelectMany(release => release.Release.Payloads.Select(payload => (release, payload))).Where(entry => entry.payload.Chunks is { } chunks && sound.Contains(chunks.Index) && sound.Contains(chunks.Data)).ToList();
            if (chunked.Count > 0) await stages.RunAsync("chunks", async report =>
            {
                foreach (var (release, payload) in chunked) await CheckAsync(release, payload, "its chunks", () => RebuildAsync(payload, Path.Combine(work.FullName, "payload"), cancellationToken));
                return 0;
            });
            foreach (var from in releases)
            {
                var patches = PatchesFrom(from).ToList();
                if (patches.Count == 0 || !sound.Contains(from.Release.Bundle)) continue;
                await stages.RunAsync($"patches from {from.Offer.Version}", async report =>
                {
                    var old = await UnpackedBundle.UnpackAsync(folder.Locate(from.Release.Bundle.Path), Path.Combine(work.FullName, "old"), null, cancellationToken);
                    foreach (var (release, payload, patch) in patches)
                        await CheckAsync(release, payload, $"its patch from {patch.FromVersion}", () => Task.Run(() => Apply(folder.Locate(patch.Patch.Path), old.Files[payload.Name], cancellationToken), cancellationToken));
                    return 0;
                });
            }
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private IEnumerable<(PublishedRelease Release, ReleasePayload Payload, PatchReference Patch)> PatchesFrom(PublishedRelease from) =>
        from release in releases
        where release.Offer.Kind == @from.Offer.Kind && release.Offer.Id == @from.Offer.Id && release.Offer.Board == @from.Offer.Board && release.Offer.Architecture == @from.Offer.Architecture
        from payload in release.Release.Payloads
        from patch in payload.Patches
        where patch.FromVersion == @from.Offer.Version && sound.Contains(patch.Patch) && @from.Release.Payloads.Any(old => old.Name == payload.Name && old.Sha256 == patch.FromSha256)
        select (release, payload, patch);

    private async Task CheckAsync(PublishedRelease release, ReleasePayload payload, string what, Func<Task<string>> make)
    {
        try
        {
            if (await make() != payload.Sha256) fault($"{release.Target.Path}: {what} make another {payload.Name}");
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or UserError)
        {
            fault($"{release.Target.Path}: {what} cannot be applied to {payload.Name}: {e.Message}");
        }
    }

    /// <summary>The payload from its chunks alone, as for a device that has nothing of it.</summary>
    private async Task<string> RebuildAsync(ReleasePayload payload, string file, CancellationToken cancellationToken)
    {
        var index = ChunkIndex.Parse(await File.ReadAllBytesAsync(folder.Locate(payload.Chunks!.Index.Path), cancellationToken));
        await using var target = new FileStream(file, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite, 1);
        var way = await ChunkWay.PlanAsync(index, new FolderSource(folder.Path), payload.Chunks.Data.Path, [], target.SafeFileHandle, 0, null, cancellationToken);
        await using var plain = await way.OpenAsync(0, cancellationToken);
        await plain.CopyToAsync(target, 1 << 20, cancellationToken);
        target.Position = 0;
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(target, cancellationToken));
    }

    private static string Apply(string patch, string old, CancellationToken cancellationToken)
    {
        using var file = File.OpenRead(patch);
        using var handle = File.OpenHandle(old);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var reader = new PatchReader(file, handle, RandomAccess.GetLength(handle));
        var buffer = new byte[1 << 20];
        while (reader.Read(buffer) is > 0 and var read)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
