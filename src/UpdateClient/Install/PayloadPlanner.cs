using Appliance.Core.Bundles;
using Appliance.Core.Chunks;
using Appliance.Core.Releases;
using Appliance.UpdateClient.Chunks;
using Appliance.UpdateClient.Sources;
using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Install;

/// <summary>Finds the ways to get payloads and orders them by what they download. The files it opens for them are closed with it.</summary>
/// <param name="source">The repository.</param>
/// <param name="release">The release the payloads are of.</param>
/// <param name="fromVersion">The version that is here, or null.</param>
/// <param name="stateFolder">Folder for patches.</param>
internal sealed class PayloadPlanner(IRepositorySource source, Release release, string? fromVersion, string stateFolder) : IDisposable
{
    /// <summary>
    /// A patch below this share of the whole is taken without looking at what chunks would take: they hardly ever take less,
    /// and finding out means to fetch their index and to read what is here.
    /// </summary>
    private const int SmallPatch = 2;

    private readonly List<IDisposable> _open = [];

    /// <summary>Plans a payload.</summary>
    /// <param name="listed">What the release says of it.</param>
    /// <param name="payload">What the manifest says of it.</param>
    /// <param name="oldPath">The same payload of the version that is here: a device or file; null when there is none.</param>
    /// <param name="targetPath">Where it will be written, for the chunks that are there; null where those cannot be used.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    public async Task<PayloadPlan> PlanAsync(ReleasePayload listed, BundlePayload payload, string? oldPath, string? targetPath, CancellationToken cancellationToken) =>
        new(payload, await WaysAsync(listed, payload, oldPath, targetPath, cancellationToken));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _open) file.Dispose();
    }

    private async Task<IReadOnlyList<PlannedWay>> WaysAsync(ReleasePayload listed, BundlePayload payload, string? oldPath, string? targetPath, CancellationToken cancellationToken)
    {
        var full = new PlannedWay(PlannedWay.Full, new FullWay(source, release.Bundle, listed, payload));
        if (source.OnlyRelease is not null) return [full];
        var old = TryOpen(oldPath);
        var patch = old is null ? null : TryPatch(listed, payload, old);
        if (patch is not null && patch.DownloadBytes < full.DownloadBytes / SmallPatch)
            return listed.Chunks is null || OpenTarget(targetPath) is not { } late ? [patch, full]
                : [patch, new PlannedWay(PlannedWay.Chunks, new LateChunkWay(async (offset, token) => await PlanChunksAsync(listed, old, late, offset, token))), full];

        var ways = new List<PlannedWay> { full };
        if (patch is not null) ways.Add(patch);
        if (listed.Chunks is { } chunks && OpenTarget(targetPath) is { } target)
        {
            try
            {
                // From a server that knows no ranges all chunks come, and then the whole is less.
                if (!await KnowsRangesAsync(chunks.Data, cancellationToken)) return ways.OrderBy(way => way.DownloadBytes).ToList();
                ways.Add(new PlannedWay(PlannedWay.Chunks, await PlanChunksAsync(listed, old, target, 0, cancellationToken)));
            }
            catch (InvalidDataException)
            {
                // The index is missing or damaged, or there is too much or nothing to put together; the other ways need none.
            }
        }
        return ways.OrderBy(way => way.DownloadBytes).ToList();
    }

    private PlannedWay? TryPatch(ReleasePayload listed, BundlePayload payload, SafeFileHandle old)
    {
        var size = NativeFile.SizeOf(old);
        var patch = listed.Patches.Where(patch => patch.FromVersion == fromVersion && patch.FromSize <= size).MinBy(patch => patch.Patch.Size);
        return patch is null ? null : new PlannedWay(PlannedWay.Patch, new PatchWay(source, patch, payload, old, stateFolder));
    }

    private async Task<IPayloadWay> PlanChunksAsync(ReleasePayload listed, SafeFileHandle? old, SafeFileHandle target, long offset, CancellationToken cancellationToken)
    {
        var reference = listed.Chunks!.Index;
        if (reference.Size > ChunkIndex.LargestSize) throw new InvalidDataException("the chunk index is too large");
        var index = ChunkIndex.Parse(await source.ReadObjectAsync(reference, cancellationToken));
        if (index.PayloadLength != listed.Size || index.DataLength != listed.Chunks.Data.Size) throw new InvalidDataException("the chunk index is that of another payload");
        var seeds = new List<ChunkSeed>();
        if (old is not null) seeds.Add(new ChunkSeed(old, NativeFile.SizeOf(old), IsTarget: false));
        if (NativeFile.SizeOf(target) is > 0 and var size) seeds.Add(new ChunkSeed(target, size, IsTarget: true));
        if (seeds.Count == 0) throw new InvalidDataException("there is nothing here that chunks could be taken from");
        return await ChunkWay.PlanAsync(index, source, listed.Chunks.Data.Path, seeds, target, offset, null, cancellationToken);
    }

    private async Task<bool> KnowsRangesAsync(ObjectReference data, CancellationToken cancellationToken)
    {
        await foreach (var _ in source.ReadRangesAsync(data.Path, [new ByteRange(0, 1)], cancellationToken)) break;
        return !source.ReadsFromTheFront;
    }

    /// <summary>What is here; null when there is none or it cannot be read: then the payload is downloaded whole.</summary>
    private SafeFileHandle? TryOpen(string? path)
    {
        if (path is null || !File.Exists(path)) return null;
        try
        {
            return Keep(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The target, for the chunks in it; null where that is not possible, and writing will say why.</summary>
    private SafeFileHandle? OpenTarget(string? path)
    {
        if (path is null) return null;
        try
        {
            return Keep(File.OpenHandle(path, path.StartsWith("/dev/", StringComparison.Ordinal) ? FileMode.Open : FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private SafeFileHandle Keep(SafeFileHandle handle)
    {
        _open.Add(handle);
        return handle;
    }
}
