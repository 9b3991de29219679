using Appliance.Core.Chunks;
using Appliance.Core.Releases;
using Appliance.UpdateClient.Publish;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Cuts the payloads of a release into chunks.</summary>
internal static class ReleaseChunks
{
    /// <summary>Makes index and data of every payload, and places them among the objects.</summary>
    public static async Task<IReadOnlyDictionary<string, ChunkReference>> MakeAsync(UnpackedBundle bundle, RepositoryFolder folder, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var chunks = new Dictionary<string, ChunkReference>(StringComparer.Ordinal);
        var payloads = bundle.Manifest.Payloads.Where(payload => payload.Size > 0).ToList();
        var total = payloads.Sum(payload => payload.Size);
        long before = 0;
        foreach (var payload in payloads)
        {
            var (indexFile, dataFile) = (Path.Combine(folder.Staging, "chunks.index"), Path.Combine(folder.Staging, "chunks.data"));
            await using (var index = File.Create(indexFile))
            await using (var data = File.Create(dataFile))
                await ChunkPublisher.WriteAsync(bundle.Files[payload.Name], index, data, (done, _) => progress(before + done, total), cancellationToken);
            chunks.Add(payload.Name, new ChunkReference(await folder.PlaceAsync(indexFile, cancellationToken), await folder.PlaceAsync(dataFile, cancellationToken)));
            before += payload.Size;
        }
        return chunks;
    }
}
