namespace Appliance.UpdateClient.Sources;

/// <summary>Reads a file of a server that knows no ranges: one request, read front to back; a break starts it again and skips.</summary>
internal sealed class HttpForwardReader(HttpSource source, string path) : IAsyncDisposable
{
    private HttpBody? _body;

    /// <summary>Fills a buffer with the bytes from an offset on, which is not before the last one.</summary>
    public Task ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var filled = 0;
        return source.RetryAsync(path, async progress =>
        {
            try
            {
                _body ??= await HttpBody.OpenAsync(source, path, null, null, cancellationToken) ?? throw RangeWindow.Missing(source, path);
                await _body.SkipToAsync(offset + filled, cancellationToken);
                filled += await _body.FillAsync(buffer[filled..], _ => progress.Made = true, cancellationToken);
                return filled == buffer.Length ? true : throw new TransientFailure("the transfer ended too early");
            }
            catch
            {
                await DisposeAsync();
                throw;
            }
        }, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        var body = _body;
        _body = null;
        if (body is not null) await body.DisposeAsync();
    }
}
