using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace UpdateClient.Tests.Sources;

/// <summary>
/// A small web server of a folder on a loopback socket, whose every answer a test can spoil: byte by byte, because the faults
/// are those that a proper server library does not let one make.
/// </summary>
internal sealed partial class FaultyServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _accepting;
    private readonly string _folder;
    private readonly List<Task> _connections = [];
    private long _sent;
    private int _requests;

    public FaultyServer(string folder)
    {
        _folder = folder;
        _listener.Start();
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>The address of the folder.</summary>
    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    /// <summary>Decides what to do to an answer; null leaves it alone.</summary>
    public Func<Request, Fault?> Spoil { get; set; } = _ => null;

    /// <summary>Body bytes sent.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Paths asked for, in order.</summary>
    public List<Request> Log { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task[] open;
        lock (_connections) open = [.. _connections];
        await Task.WhenAll(open).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_end.Token);
            lock (_connections) _connections.Add(Task.Run(() => ServeAsync(client)));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            client.NoDelay = true;
            var stream = client.GetStream();
            try
            {
                while (await ReadRequestAsync(stream) is { } request)
                {
                    lock (Log) Log.Add(request);
                    if (!await AnswerAsync(stream, request)) return;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
            {
                // The client has gone, or the test is over.
            }
        }
    }

    private async Task<Request?> ReadRequestAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, _end.Token) == 0) return null;
            head.Append((char)one[0]);
        }
        var text = head.ToString();
        var path = Uri.UnescapeDataString(text.Split(' ')[1].Split('?')[0]);
        path = path.StartsWith("http://", StringComparison.Ordinal) ? new Uri(path).AbsolutePath : path;
        var range = RangeLine().Match(text);
        return new Request(Interlocked.Increment(ref _requests), path.TrimStart('/'), range.Success ? long.Parse(range.Groups[1].Value) : null, range.Success && range.Groups[2].Length > 0 ? long.Parse(range.Groups[2].Value) : null, text);
    }

    /// <summary>Answers; false when the connection is to be closed.</summary>
    private async Task<bool> AnswerAsync(NetworkStream stream, Request request)
    {
        var fault = Spoil(request) ?? new Fault();
        var file = new FileInfo(Path.Combine(_folder, request.Path));
        if (fault.Status is { } status)
        {
            await SendAsync(stream, $"HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n{fault.Headers}\r\n");
            return true;
        }
        if (!file.Exists)
        {
            await SendAsync(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            return true;
        }
        var whole = await File.ReadAllBytesAsync(file.FullName);
        var partial = request.From is not null && !fault.IgnoreRange;
        var from = partial ? request.From!.Value : 0;
        var to = partial ? Math.Min(request.To ?? whole.Length - 1, whole.Length - 1) : whole.Length - 1;
        if (from > to)
        {
            await SendAsync(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
            return true;
        }
        var body = whole[(int)from..(int)(to + 1)];
        fault.Corrupt?.Invoke(body);
        var announced = fault.AnnouncedRange ?? $"{from}-{to}";
        var status2 = partial ? $"206 Partial Content\r\nContent-Range: bytes {announced}/{whole.Length}" : "200 OK";
        var framing = fault.CloseDelimited ? "Connection: close" : $"Content-Length: {body.Length}";
        await SendAsync(stream, $"HTTP/1.1 {status2}\r\n{framing}\r\n{fault.Headers}\r\n");
        var count = Math.Min(body.Length, fault.CutAfter ?? (fault.Stall ? 100 : int.MaxValue));
        await stream.WriteAsync(body.AsMemory(0, count), _end.Token);
        Interlocked.Add(ref _sent, count);
        if (fault.Extra is { } extra) await stream.WriteAsync(extra, _end.Token);
        if (fault.Stall && count < body.Length) await Task.Delay(Timeout.Infinite, _end.Token);
        return count == body.Length && !fault.CloseDelimited;
    }

    private Task SendAsync(NetworkStream stream, string text) => stream.WriteAsync(Encoding.Latin1.GetBytes(text), _end.Token).AsTask();

    [GeneratedRegex(@"\r\nRange: bytes=(\d+)-(\d*)\r\n", RegexOptions.IgnoreCase)]
    private static partial Regex RangeLine();

    /// <summary>A request: its number, path and range.</summary>
    internal sealed record Request(int Number, string Path, long? From, long? To, string Head);

    /// <summary>What to do to an answer.</summary>
    internal sealed record Fault
    {
        public int? Status { get; init; }
        public string Headers { get; init; } = "";
        public bool IgnoreRange { get; init; }
        public string? AnnouncedRange { get; init; }
        public int? CutAfter { get; init; }
        public bool Stall { get; init; }
        public bool CloseDelimited { get; init; }
        public byte[]? Extra { get; init; }
        public Action<byte[]>? Corrupt { get; init; }
    }
}
