using Appliance.Core.Bundles;
using Appliance.Core.Chunks;
using Appliance.Core.Delta;
using Appliance.UpdateClient.Chunks;
using Appliance.UpdateClient.Sources;

namespace Appliance.ImageBuilder.Publish;

/// <summary>What a device would download for one payload, by each way, in bytes.</summary>
/// <param name="Payload">Name of the payload.</param>
/// <param name="Patch">By a patch from the old one; null when there is no old one.</param>
/// <param name="Chunks">By chunks that the old one does not have, index included.</param>
/// <param name="Full">The whole, compressed.</param>
internal sealed record UpdateCost(string Payload, long? Patch, long Chunks, long Full)
{
    /// <summary>Makes patch, chunks and frames as a publication would, and plans as a device would.</summary>
    /// <param name="name">Name of the payload.</param>
    /// <param name="old">The old payload's file, or null.</param>
    /// <param name="fresh">The new payload's file.</param>
    /// <param name="packed">Its compressed size where that is known; else it is compressed to find out.</param>
    /// <param name="work">Folder for the work.</param>
    /// <param name="progress">Bytes done so far and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<UpdateCost> WorkOutAsync(string name, string? old, string fresh, long? packed, string work, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var size = new FileInfo(fresh).Length;
        var full = packed ?? await PackedSizeAsync(name, fresh, work, cancellationToken);
        var chunks = await ChunkBytesAsync(old, fresh, work, (done, _) => progress(done, 2 * size), cancellationToken);
        if (old is null) return new UpdateCost(name, null, chunks, full);
        var file = Path.Combine(work, "patch");
        await using (var target = File.Create(file))
            await PatchWriter.WriteAsync(old, fresh, target, (done, _) => progress(size + done, 2 * size), cancellationToken);
        return new UpdateCost(name, new FileInfo(file).Length, chunks, full);
    }

    private static async Task<long> PackedSizeAsync(string name, string fresh, string work, CancellationToken cancellationToken)
    {
        var packed = await BundleWriter.PackAsync(new BundlePayloadFile(name, BundlePayloadKind.Root, fresh), Path.Combine(work, "packed"), null, cancellationToken);
        return new FileInfo(packed.Path).Length;
    }

    private static async Task<long> ChunkBytesAsync(string? old, string fresh, string work, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var (indexFile, dataFile, written) = (Path.Combine(work, "index"), Path.Combine(work, "data"), Path.Combine(work, "written"));
        await using (var index = File.Create(indexFile))
        await using (var data = File.Create(dataFile))
            await ChunkPublisher.WriteAsync(fresh, index, data, progress, cancellationToken);
        var bytes = await File.ReadAllBytesAsync(indexFile, cancellationToken);
        using var target = File.OpenHandle(written, FileMode.Create, FileAccess.ReadWrite);
        using var seed = old is null ? null : File.OpenHandle(old);
        IReadOnlyList<ChunkSeed> seeds = seed is null ? [] : [new ChunkSeed(seed, RandomAccess.GetLength(seed), IsTarget: false)];
        var way = await ChunkWay.PlanAsync(ChunkIndex.Parse(bytes), new FolderSource(work), "data", seeds, target, 0, null, cancellationToken);
        return bytes.Length + way.ListBytes + way.DownloadBytes;
    }
}
