namespace Appliance.UpdateClient.Chunks;

/// <summary>Reads the ranges of a plan and gives out their pieces in order.</summary>
internal sealed class RangeFeed : IAsyncDisposable
{
    private readonly IReadOnlyList<ByteRange> _ranges;
    private readonly IAsyncEnumerator<ReadOnlyMemory<byte>> _source;
    private int _next;
    private ByteRange _current;

    public RangeFeed(IRepositorySource source, string path, RangePlan plan, CancellationToken cancellationToken)
    {
        _ranges = plan.Ranges;
        _source = source.ReadRangesAsync(path, _ranges, cancellationToken).GetAsyncEnumerator(cancellationToken);
    }

    /// <summary>A piece of the plan, at or after the one before it. The memory is valid until the next piece is asked for.</summary>
    /// <exception cref="InvalidDataException">The source gives other bytes than it was asked for.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(long offset, int length)
    {
        while (_current.Length == 0 || offset >= _current.Offset + _current.Length)
        {
            if (_next == _ranges.Count) throw new InvalidOperationException("a piece was asked for that was not planned");
            if (!await _source.MoveNextAsync()) throw new InvalidDataException("the source ends before the last range that was asked for");
            _current = _ranges[_next++];
            if (_source.Current.Length != _current.Length) throw new InvalidDataException("the source gave a range of another length than was asked for");
        }
        return _source.Current.Slice((int)(offset - _current.Offset), length);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
