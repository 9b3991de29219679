using System.Net.Http.Headers;
using Appliance.Core;
using Appliance.UpdateClient.Install;

namespace Appliance.UpdateClient.Sources;

/// <summary>One file of a web server, read front to back: a break goes on where it was, whether the server knows ranges or not.</summary>
internal sealed class HttpFileStream(HttpSource source, string path) : ForwardStream
{
    private HttpBody? _body;
    private RangeConditionHeaderValue? _state;
    private long _position;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length == 0) return 0;
        var read = await source.RetryAsync(path, async _ =>
        {
            try
            {
                if (_body is null)
                {
                    _body = await HttpBody.OpenAsync(source, path, _position == 0 ? null : (_position, null), _state, cancellationToken) ?? throw Missing();
                    if (_state is not null && !_state.Equals(_body.State)) throw new UserError($"{path} was exchanged on {source.Name} while it was fetched.", "Start again.");
                    _state = _body.State;
                    await _body.SkipToAsync(_position, cancellationToken);
                }
                return await _body.ReadAsync(buffer, cancellationToken);
            }
            catch
            {
                await CloseAsync();
                throw;
            }
        }, cancellationToken);
        _position += read;
        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync();
        source.Dispose();
        await base.DisposeAsync();
    }

    private UserError Missing() => new($"There is no {path} on {source.Name}.", "Check the address.");

    private async Task CloseAsync()
    {
        var body = _body;
        _body = null;
        if (body is not null) await body.DisposeAsync();
    }
}
