using System.Net;
using System.Runtime.CompilerServices;
using Appliance.Core;

namespace Appliance.UpdateClient.Sources;

/// <summary>
/// A repository on any web server: parallel range requests in a bounded window, tries again with growing random pauses, goes
/// on where a transfer broke, and copes with servers that know no ranges by reading from the front.
/// </summary>
public sealed class HttpSource : IRepositorySource, IDisposable
{
    /// <summary>Ranges that touch are asked for together up to this many bytes.</summary>
    private const int LargestRequest = 1 << 20;

    private readonly Uri _root;
    private readonly BufferPool _buffers;
    private long _received;
    private volatile bool _ignoresRanges;

    /// <summary>Names a repository.</summary>
    /// <param name="root">Its address; what is below it are the repository's files.</param>
    /// <param name="options">How the server is talked to.</param>
    public HttpSource(Uri root, HttpSourceOptions? options = null)
    {
        Options = options ?? new HttpSourceOptions();
        _root = root.AbsoluteUri.EndsWith('/') ? root : new Uri(root.AbsoluteUri + "/");
        _buffers = new BufferPool(Options.Connections + 2);
        Limit = Options.BytesPerSecond is { } rate ? new TokenBucket(rate, Options.Time) : null;
        var handler = new SocketsHttpHandler
        {
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = Options.StallLimit,
            MaxConnectionsPerServer = Options.Connections,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        };
        if (Options.Proxy is { } proxy) handler.Proxy = new WebProxy(proxy) { Credentials = Credentials(proxy) };
        Options.Configure?.Invoke(handler);
        Client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower };
        Client.DefaultRequestHeaders.UserAgent.ParseAdd("appliance-update/1");
        Client.DefaultRequestHeaders.Authorization = Options.Authorization;
    }

    /// <inheritdoc/>
    public long BytesRead => Interlocked.Read(ref _received);

    /// <inheritdoc/>
    public bool ReadsFromTheFront => _ignoresRanges;

    /// <summary>The whole address of the only file that is read, where it is more than a path below the root: a signed link.</summary>
    internal Uri? File { get; init; }

    internal HttpSourceOptions Options { get; }

    internal HttpClient Client { get; }

    internal TokenBucket? Limit { get; }

    internal string Name => _root.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);

    /// <summary>Ends all connections.</summary>
    public void Dispose() => Client.Dispose();

    /// <inheritdoc/>
    public async Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken)
    {
        using var slow = new CancellationTokenSource(Options.SmallFileLimit, Options.Time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, slow.Token);
        try
        {
            return await RetryAsync(path, async _ =>
            {
                await using var body = await HttpBody.OpenAsync(this, path, null, null, linked.Token);
                return body is null ? null : await ReadWholeAsync(body, path, limit, linked.Token);
            }, linked.Token);
        }
        catch (OperationCanceledException) when (slow.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new UserError($"{Name} needs longer than {Options.SmallFileLimit.TotalSeconds:0} s for {path}.", "Try again later, or use another network or mirror.") { MayPass = true };
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = 0; // first range that was not given out
        if (!_ignoresRanges)
        {
            await using var window = new RangeWindow(this, _buffers, path, RangeWindow.Join(ranges, LargestRequest), cancellationToken);
            while (await window.TakeAsync() is { } joined)
            {
                for (var i = 0; i < joined.Count; i++, next++)
                    yield return joined.Bytes.Slice((int)(ranges[next].Offset - joined.Offset), ranges[next].Length);
            }
        }
        if (next == ranges.Count) yield break;

        await using var forward = new HttpForwardReader(this, path);
        var buffer = _buffers.Rent(ranges.Max(range => range.Length));
        try
        {
            for (; next < ranges.Count; next++)
            {
                var bytes = buffer.AsMemory(0, ranges[next].Length);
                await forward.ReadAsync(ranges[next].Offset, bytes, cancellationToken);
                yield return bytes;
            }
        }
        finally
        {
            _buffers.Return(buffer);
        }
    }

    internal Uri Address(string path) => File ?? new(_root, string.Join('/', RepositoryPath.Require(path).Split('/').Select(Uri.EscapeDataString)));

    internal void Received(int bytes) => Interlocked.Add(ref _received, bytes);

    /// <summary>Remembers that this server knows no ranges.</summary>
    internal void IgnoresRanges() => _ignoresRanges = true;

    /// <summary>Does something until it succeeds; <paramref name="attempt"/> says whether it made progress by the flag it is given.</summary>
    internal async Task<T> RetryAsync<T>(string path, Func<Progress, Task<T>> attempt, CancellationToken cancellationToken)
    {
        var progress = new Progress();
        for (var failures = 0; ;)
        {
            progress.Made = false;
            try
            {
                return await attempt(progress);
            }
            catch (TransientFailure e)
            {
                failures = progress.Made ? 1 : failures + 1;
                if (failures >= Options.Tries) throw new UserError($"{path} cannot be fetched from {Name}: {e.Message}.", "Check the network and the server, then try again; what has come already is kept.", e) { MayPass = true };
                await Task.Delay(Pause(failures, e.RetryAfter), Options.Time, cancellationToken);
            }
        }
    }

    private async Task<byte[]> ReadWholeAsync(HttpBody body, string path, int limit, CancellationToken cancellationToken)
    {
        using var whole = new MemoryStream();
        var buffer = new byte[Math.Min(limit + 1, 16 << 10)];
        while (true)
        {
            var read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, limit + 1 - whole.Length)), cancellationToken);
            if (read == 0) return whole.ToArray();
            whole.Write(buffer, 0, read);
            if (whole.Length > limit) throw new UserError($"{path} on {Name} is larger than the {limit} bytes it may have.", "This is not the repository that was meant, or somebody has tampered with it.");
        }
    }

    private TimeSpan Pause(int failures, TimeSpan? asked)
    {
        var most = Math.Min(Options.FirstPause.TotalSeconds * Math.Pow(2, failures - 1), Options.LongestPause.TotalSeconds);
        var drawn = most * (0.25 + 0.75 * Random.Shared.NextDouble());
        return TimeSpan.FromSeconds(Math.Min(Math.Max(drawn, asked?.TotalSeconds ?? 0), Options.LongestPause.TotalSeconds));
    }

    private static NetworkCredential? Credentials(Uri proxy)
    {
        if (proxy.UserInfo.Length == 0) return null;
        var parts = proxy.UserInfo.Split(':', 2);
        return new NetworkCredential(Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
    }

    /// <summary>Tells the retry loop that a try brought something.</summary>
    internal sealed class Progress
    {
        public bool Made { get; set; }
    }
}
