namespace Appliance.UpdateClient.Install;

/// <summary>Chunks as a second choice: what they would take is found out only when it comes to them, because that means to read both slots.</summary>
internal sealed class LateChunkWay(Func<long, CancellationToken, Task<IPayloadWay>> plan) : IPayloadWay
{
    /// <inheritdoc/>
    public long DownloadBytes => 0;

    /// <inheritdoc/>
    public async Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken) => await (await plan(offset, cancellationToken)).OpenAsync(offset, cancellationToken);
}
