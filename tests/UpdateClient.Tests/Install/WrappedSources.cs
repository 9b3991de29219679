using System.Runtime.CompilerServices;
using Appliance.UpdateClient;

namespace UpdateClient.Tests.Install;

/// <summary>Calls back before ranges are read.</summary>
internal sealed class CallbackSource(IRepositorySource inner, Func<Task> before) : IRepositorySource
{
    public Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken) => inner.TryReadAsync(path, limit, cancellationToken);

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await before();
        await foreach (var bytes in inner.ReadRangesAsync(path, ranges, cancellationToken)) yield return bytes;
    }
}

/// <summary>Cancels when a number of bytes has been read.</summary>
internal sealed class CancellingSource(IRepositorySource inner, CancellationTokenSource cancel, long after) : IRepositorySource
{
    private long _read;

    public Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken) => inner.TryReadAsync(path, limit, cancellationToken);

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var bytes in inner.ReadRangesAsync(path, ranges, cancellationToken))
        {
            if ((_read += bytes.Length) > after) await cancel.CancelAsync();
            yield return bytes;
        }
    }
}
