using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace ImageBuilder.Tests.Flash;

/// <summary>A folder over HTTP or HTTPS on loopback, with connections that break.</summary>
internal sealed class FlakyServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly string _folder;
    private readonly X509Certificate2? _certificate;

    public FlakyServer(string folder, bool tls = false)
    {
        _folder = folder;
        if (tls)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName("localhost");
            request.CertificateExtensions.Add(names.Build());
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            Authority = Path.Combine(folder, "authority.pem");
            File.WriteAllText(Authority, _certificate.ExportCertificatePem());
        }
        _listener.Start();
        Url = $"{(tls ? "https://localhost" : "http://127.0.0.1")}:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _ = AcceptAsync();
    }

    public string Url { get; }

    /// <summary>File with the certificate that a client has to trust.</summary>
    public string? Authority { get; }

    /// <summary>Body bytes of images after which a connection is cut.</summary>
    public int CutAfter { get; init; } = int.MaxValue;

    /// <summary>How many answers are cut.</summary>
    public int Cuts { get; init; } = int.MaxValue;

    /// <summary>Body bytes of images after which nothing more comes, and the connection stays.</summary>
    public int StallAfter { get; init; } = int.MaxValue;

    /// <summary>False for a server that knows no ranges.</summary>
    public bool KnowsRanges { get; init; } = true;

    /// <summary>The entity tag of the n-th answer.</summary>
    public Func<int, string> Tag { get; init; } = _ => "\"one\"";

    /// <summary>Heads of the requests for images.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>Set when an answer stalls.</summary>
    public TaskCompletionSource Stalled { get; } = new();

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _certificate?.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using var _ = client;
            Stream stream = client.GetStream();
            if (_certificate is not null)
            {
                var tls = new SslStream(stream);
                await tls.AuthenticateAsServerAsync(_certificate);
                stream = tls;
            }
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            var head = new StringBuilder();
            while (await reader.ReadLineAsync(_end.Token) is { Length: > 0 } line) head.AppendLine(line);
            await AnswerAsync(stream, head.ToString());
            if (stream is SslStream secure) await secure.ShutdownAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
        }
    }

    private async Task AnswerAsync(Stream stream, string head)
    {
        var path = Path.Combine(_folder, head.Split(' ')[1].Split('?')[0].TrimStart('/'));
        if (!File.Exists(path))
        {
            await stream.WriteAsync("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), _end.Token);
            return;
        }
        var body = await File.ReadAllBytesAsync(path, _end.Token);
        var isImage = !path.EndsWith(".bmap", StringComparison.Ordinal);
        if (isImage) lock (Requests) Requests.Add(head);
        var tag = Tag(Requests.Count);
        string? Header(string name) => head.Split('\n').FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
        var range = Header("Range");
        var start = KnowsRanges && range is not null && (Header("If-Range") is not { } condition || condition == tag) ? int.Parse(range["bytes=".Length..].Split('-')[0]) : 0;
        var status = start > 0 ? $"206 Partial Content\r\nContent-Range: bytes {start}-{body.Length - 1}/{body.Length}" : "200 OK";
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {body.Length - start}\r\nConnection: close\r\n\r\n"), _end.Token);
        var most = isImage ? Math.Min(Requests.Count > Cuts ? int.MaxValue : CutAfter, StallAfter) : int.MaxValue;
        await stream.WriteAsync(body.AsMemory(start, Math.Min(most, body.Length - start)), _end.Token);
        await stream.FlushAsync(_end.Token);
        if (!isImage || body.Length - start <= StallAfter) return;
        Stalled.TrySetResult();
        await Task.Delay(Timeout.Infinite, _end.Token);
    }
}
