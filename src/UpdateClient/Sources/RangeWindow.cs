namespace Appliance.UpdateClient.Sources;

/// <summary>Range requests under way at once, bounded in number and bytes, given out in order.</summary>
internal sealed class RangeWindow : IAsyncDisposable
{
    private readonly HttpSource _source;
    private readonly BufferPool _buffers;
    private readonly string _path;
    private readonly IEnumerator<Joined> _waiting;
    private readonly Queue<(Joined Range, byte[] Buffer, Task<bool> Transfer)> _running = new();
    private readonly CancellationTokenSource _end;
    private readonly int _bufferSize;
    private readonly int _most;
    private bool _more;
    private byte[]? _given;

    public RangeWindow(HttpSource source, BufferPool buffers, string path, IReadOnlyList<Joined> ranges, CancellationToken cancellationToken)
    {
        (_source, _buffers, _path, _waiting) = (source, buffers, path, ranges.GetEnumerator());
        // All buffers have the size of the longest range: then each is made once and used again for any other.
        _bufferSize = ranges.Count == 0 ? 1 : ranges.Max(range => range.Length);
        _most = Math.Clamp(source.Options.Window / _bufferSize, Math.Min(2, source.Options.Connections), source.Options.Connections);
        _end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _more = _waiting.MoveNext();
    }

    /// <summary>Joins ranges that touch, up to a size.</summary>
    public static IReadOnlyList<Joined> Join(IReadOnlyList<ByteRange> ranges, int largest)
    {
        var joined = new List<Joined>();
        for (var i = 0; i < ranges.Count;)
        {
            var (offset, length, count) = (ranges[i].Offset, ranges[i].Length, 1);
            while (i + count < ranges.Count && ranges[i + count].Offset == offset + length && length + ranges[i + count].Length <= largest)
            {
                length += ranges[i + count].Length;
                count++;
            }
            joined.Add(new Joined(offset, length, count, default));
            i += count;
        }
        return joined;
    }

    /// <summary>The next joined range with its bytes, valid until the next call; null when there are none, or when the server turns out to know no ranges.</summary>
    public async Task<Joined?> TakeAsync()
    {
        GiveBack();
        Start();
        if (_running.Count == 0) return null;
        var (range, buffer, transfer) = _running.Peek();
        if (!await transfer) return null;
        _running.Dequeue();
        _given = buffer;
        return range with { Bytes = buffer.AsMemory(0, range.Length) };
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (var (_, buffer, transfer) in _running)
        {
            await ((Task)transfer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _buffers.Return(buffer);
        }
        GiveBack();
        _waiting.Dispose();
        _end.Dispose();
    }

    internal static InvalidDataException Missing(HttpSource source, string path) => new($"{path} is missing on {source.Name}: the repository is incomplete, or an old version was just removed from it");

    private void Start()
    {
        while (_more && _running.Count < _most)
        {
            var range = _waiting.Current;
            var buffer = _buffers.Rent(_bufferSize);
            _running.Enqueue((range, buffer, TransferAsync(range, buffer.AsMemory(0, range.Length), _end.Token)));
            _more = _waiting.MoveNext();
        }
    }

    private void GiveBack()
    {
        if (_given is null) return;
        _buffers.Return(_given);
        _given = null;
    }

    /// <summary>Fetches a range, going on where a try broke off. False when the server knows no ranges.</summary>
    private Task<bool> TransferAsync(Joined range, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var filled = 0;
        return _source.RetryAsync(_path, async progress =>
        {
            await using var body = await HttpBody.OpenAsync(_source, _path, (range.Offset + filled, range.Offset + range.Length), null, cancellationToken) ?? throw Missing(_source, _path);
            if (body.IgnoresRanges)
            {
                _source.IgnoresRanges();
                return false;
            }
            var before = filled;
            try
            {
                await body.FillAsync(buffer[before..], got => filled = before + got, cancellationToken);
            }
            finally
            {
                progress.Made = filled > before;
            }
            return filled == buffer.Length ? true : throw new TransientFailure("the transfer ended too early");
        }, cancellationToken);
    }

    /// <summary>Some ranges that lie one after another: where they begin, how long they are, how many, and their bytes.</summary>
    internal readonly record struct Joined(long Offset, int Length, int Count, ReadOnlyMemory<byte> Bytes);
}
