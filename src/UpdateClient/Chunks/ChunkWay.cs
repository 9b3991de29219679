using Appliance.Core.Chunks;
using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Chunks;

/// <summary>Gets a payload from chunks: what the device's slots have is copied, the rest fetched. Works from any old content.</summary>
internal sealed class ChunkWay : IPayloadWay
{
    private readonly ChunkPlan _plan;
    private readonly IRepositorySource _source;
    private readonly string _dataPath;
    private readonly IReadOnlyList<ChunkSeed> _seeds;
    private readonly SafeFileHandle _written;

    private ChunkWay(ChunkPlan plan, IRepositorySource source, string dataPath, IReadOnlyList<ChunkSeed> seeds, SafeFileHandle written, long offset)
    {
        (_plan, _source, _dataPath, _seeds, _written) = (plan, source, dataPath, seeds, written);
        DownloadBytes = plan.FramesFrom(plan.Index.Find(offset)).Bytes;
    }

    /// <inheritdoc/>
    public long DownloadBytes { get; }

    /// <summary>Bytes that were fetched to make the plan, beside the index.</summary>
    public long ListBytes => _plan.ListBytes;

    /// <summary>Reads the seeds, fetches the lists of what they do not have, and plans.</summary>
    /// <param name="index">The payload's index.</param>
    /// <param name="source">The repository.</param>
    /// <param name="dataPath">Path of the data file in it.</param>
    /// <param name="seeds">The slots, the running one first.</param>
    /// <param name="written">The target; read before <paramref name="offset"/> and after it as far as it is a seed.</param>
    /// <param name="offset">Bytes of the payload that are in the target already.</param>
    /// <param name="progress">Bytes of the seeds read so far, and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="InvalidDataException">The lists are damaged, or the plan would take too much memory.</exception>
    public static async Task<ChunkWay> PlanAsync(ChunkIndex index, IRepositorySource source, string dataPath, IReadOnlyList<ChunkSeed> seeds, SafeFileHandle written, long offset, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        ChunkPlan.Require(index.Count, 0);
        var scan = await SeedScan.RunAsync(index, seeds, progress, cancellationToken);
        var plan = await ChunkPlan.MakeAsync(index, scan, source, dataPath, offset, cancellationToken);
        return new ChunkWay(plan, source, dataPath, seeds, written, offset);
    }

    /// <inheritdoc/>
    public Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken) =>
        Task.FromResult<Stream>(new ChunkStream(_plan, _source, _dataPath, _seeds, _written, offset, cancellationToken));
}
