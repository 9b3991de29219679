using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using Appliance.Core;

namespace Appliance.UpdateClient.Sources;

/// <summary>One answer of a web server: its body from a wanted offset on, whether the server knows ranges or not.</summary>
internal sealed class HttpBody : IAsyncDisposable
{
    private const int ProgressStep = 1024;
    private readonly HttpResponseMessage _response;
    private readonly Stream _stream;
    private readonly CancellationTokenSource _stall;
    private readonly HttpSource _source;
    private int _sinceProgress;
    private TimeSpan _waited;

    private HttpBody(HttpSource source, HttpResponseMessage response, Stream stream, CancellationTokenSource stall, long position, bool ignoresRanges) =>
        (_source, _response, _stream, _stall, Position, IgnoresRanges) = (source, response, stream, stall, position, ignoresRanges);

    /// <summary>Offset in the file of the next byte that is read.</summary>
    public long Position { get; private set; }

    /// <summary>True when the server sent the whole file although a part was asked for.</summary>
    public bool IgnoresRanges { get; }

    /// <summary>What tells one state of the file from another: its strong entity tag, else its date; null when the server sends neither.</summary>
    public RangeConditionHeaderValue? State => _response.Headers.ETag is { IsWeak: false } tag ? new(tag) : _response.Content.Headers.LastModified is { } date ? new(date) : null;

    /// <summary>Sends a request and looks at the answer's head.</summary>
    /// <param name="source">Client, options and counters.</param>
    /// <param name="path">Path below the repository's root.</param>
    /// <param name="range">Offset, and end (exclusive) or null for the file's; null asks for the whole file without a range.</param>
    /// <param name="state">The state of the file that the range is of (RFC 9110, 13.1.5); of another the server sends the whole. Null for any.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <returns>The answer, or null when there is no such file.</returns>
    /// <exception cref="TransientFailure">Something that may pass.</exception>
    /// <exception cref="UserError">Something that will not.</exception>
    public static async Task<HttpBody?> OpenAsync(HttpSource source, string path, (long Offset, long? End)? range, RangeConditionHeaderValue? state, CancellationToken cancellationToken)
    {
        var stall = new CancellationTokenSource(source.Options.StallLimit, source.Options.Time);
        HttpResponseMessage? response = null;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, source.Address(path));
            if (range is { } part) (request.Headers.Range, request.Headers.IfRange) = (new RangeHeaderValue(part.Offset, part.End - 1), state);
            else if (path.EndsWith("timestamp.json", StringComparison.Ordinal)) request.Headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stall.Token);
            response = await source.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, linked.Token);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone || (range is null && response.StatusCode == HttpStatusCode.Forbidden))
            {
                // Object stores answer 403 for what is not there when listing is not allowed.
                response.Dispose();
                stall.Dispose();
                return null;
            }
            Require(source, path, response);
            var position = FirstPosition(source, path, response, range);
            var stream = await response.Content.ReadAsStreamAsync(linked.Token);
            stall.CancelAfter(Timeout.InfiniteTimeSpan);
            return new HttpBody(source, response, stream, stall, position, range is not null && response.StatusCode == HttpStatusCode.OK);
        }
        catch (Exception e)
        {
            response?.Dispose();
            var stalled = stall.IsCancellationRequested;
            stall.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw Explain(source, path, e, stalled);
        }
    }

    /// <summary>
    /// Reads some bytes; 0 at the end of the answer. Only waiting for the server counts as a stall: the reader may take its time, or
    /// be held up by the rate limit.
    /// </summary>
    /// <exception cref="TransientFailure">The connection broke or stalled.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int read;
        var (time, limit) = (_source.Options.Time, _source.Options.StallLimit);
        var start = time.GetTimestamp();
        try
        {
            _stall.CancelAfter(_waited < limit ? limit - _waited : TimeSpan.Zero);
            using var registration = cancellationToken.UnsafeRegister(static stall => ((CancellationTokenSource)stall!).Cancel(), _stall);
            read = await _stream.ReadAsync(buffer, _stall.Token);
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Explain(_source, "", e, e is OperationCanceledException);
        }
        _stall.CancelAfter(Timeout.InfiniteTimeSpan);
        _waited += time.GetElapsedTime(start);
        if ((_sinceProgress += read) >= ProgressStep) (_sinceProgress, _waited) = (0, TimeSpan.Zero);
        Position += read;
        _source.Received(read);
        if (_source.Limit is { } rate) await rate.TakeAsync(read, cancellationToken);
        return read;
    }

    /// <summary>Reads on to an offset in the file: a server that knows no ranges begins at the front.</summary>
    /// <exception cref="TransientFailure">The answer is past it already, or ends before it.</exception>
    public async Task SkipToAsync(long offset, CancellationToken cancellationToken)
    {
        if (Position > offset) throw new TransientFailure("the transfer cannot go back");
        var scratch = Position == offset ? [] : new byte[64 << 10];
        while (Position < offset)
            if (await ReadAsync(scratch.AsMemory(0, (int)Math.Min(scratch.Length, offset - Position)), cancellationToken) == 0) throw new TransientFailure("the transfer ended too early");
    }

    /// <summary>Reads until the buffer is full or the answer ends; returns how much it got.</summary>
    public async ValueTask<int> FillAsync(Memory<byte> buffer, Action<int>? onRead, CancellationToken cancellationToken)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = await ReadAsync(buffer.Slice(filled, Math.Min(buffer.Length - filled, 64 << 10)), cancellationToken);
            if (read == 0) break;
            filled += read;
            onRead?.Invoke(filled);
        }
        return filled;
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _response.Dispose();
        _stall.Dispose();
    }

    private static void Require(HttpSource source, string path, HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (status is 200 or 206)
        {
            if (response.Content.Headers.ContentEncoding.Count > 0)
                throw new UserError($"{source.Name} sends {path} with the content encoding {string.Join(", ", response.Content.Headers.ContentEncoding)}.", "Switch compression off for the repository on the server.");
            return;
        }
        if (status is 408 or 425 or 429 or >= 500) throw new TransientFailure($"the server answered {status} {response.ReasonPhrase}", RetryAfter(source, response));
        throw (Exception)(status switch
        {
            401 or 403 or 407 => new UserError($"{source.Name} refuses access to {path} ({status} {response.ReasonPhrase}).", "Check the credentials, the proxy and the server's access rules."),
            416 => new InvalidDataException($"{path} on {source.Name} is shorter than the signed metadata says"),
            _ => new UserError($"{source.Name} answered {status} {response.ReasonPhrase} for {path}.", "Check the address of the repository."),
        });
    }

    /// <summary>The offset in the file that the body begins at.</summary>
    private static long FirstPosition(HttpSource source, string path, HttpResponseMessage response, (long Offset, long? End)? range)
    {
        if (response.StatusCode == HttpStatusCode.OK) return 0; // RFC 9110, 14.2: a server may ignore Range
        if (range is not { } wanted) throw new TransientFailure("the server sent a part although the whole was asked for");
        var sent = response.Content.Headers.ContentRange;
        if (sent is not { Unit: "bytes", From: { } from, To: { } to } || from != wanted.Offset || to < from || to >= wanted.End)
            throw new TransientFailure($"the server sent another range of {path} than the one asked for ({sent?.ToString() ?? "none"}); {source.Name} or a proxy before it is faulty");
        return from;
    }

    private static TimeSpan? RetryAfter(HttpSource source, HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - source.Options.Time.GetUtcNow(),
        _ => null,
    };

    private static Exception Explain(HttpSource source, string path, Exception e, bool stalled) => e switch
    {
        TransientFailure or UserError or InvalidDataException => e,
        _ when stalled => new TransientFailure($"nothing came for {source.Options.StallLimit.TotalSeconds:0} s", null, e),
        HttpRequestException { InnerException: AuthenticationException } => new UserError($"The TLS connection to {source.Name} failed: {e.InnerException.Message}", "Check the server's certificate, the trusted authorities and this machine's clock.", e),
        HttpRequestException or IOException => new TransientFailure((e.InnerException ?? e).Message, null, e),
        _ => new InvalidOperationException($"reading {path} failed: {e.Message}", e),
    };
}
