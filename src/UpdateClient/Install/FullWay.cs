using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Install;

/// <summary>The whole payload: its compressed frames out of the bundle.</summary>
internal sealed class FullWay(IRepositorySource source, ObjectReference bundle, ReleasePayload release, BundlePayload payload) : IPayloadWay
{
    /// <inheritdoc/>
    public long DownloadBytes { get; } = payload.Frames.Sum(frame => (long)frame.Size);

    /// <inheritdoc/>
    public Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken)
    {
        var first = (int)(offset / payload.FrameSize);
        var ranges = new List<ByteRange>(payload.Frames.Count - first);
        var at = release.Offset + payload.Frames.Take(first).Sum(frame => (long)frame.Size);
        foreach (var frame in payload.Frames.Skip(first))
        {
            ranges.Add(new ByteRange(at, frame.Size));
            at += frame.Size;
        }
        var frames = source.ReadRangesAsync(bundle.Path, ranges, cancellationToken).GetAsyncEnumerator(cancellationToken);
        return Task.FromResult<Stream>(new FrameStream(frames, payload, first));
    }
}
