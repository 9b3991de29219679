using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Appliance.Supervisor.Web;

namespace Supervisor.Tests.Web;

/// <summary>What a slow or hostile client cannot have: each limit that docs/access.md states, byte by byte over a real socket.</summary>
public sealed class LimitTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        await _scene.StartAsync();
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Fact]
    public async Task WhoBeginsNoHandshake_IsCutOff()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _scene.Http.BaseAddress!.Port, Token);

        Assert.Equal("", await ReadToEndAsync(client.GetStream()));
    }

    [Fact]
    public async Task WhoEndsNoHead_IsCutOff()
    {
        await using var stream = await ConnectAsync();
        await SendAsync(stream, "GET / HTTP/1.1\r\nHost: device\r\n");

        Assert.DoesNotContain("200 OK", await ReadToEndAsync(stream), StringComparison.Ordinal);
    }

    /// <summary>A form that comes byte by byte, slower than anybody's line.</summary>
    [Fact]
    public async Task WhoSendsABodyForEver_IsCutOff()
    {
        await using var stream = await ConnectAsync();
        await SendAsync(stream, "POST /api/v1/session HTTP/1.1\r\nHost: device\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\nsecret=");
        using var ended = new CancellationTokenSource();
        var dripping = DripAsync(stream, ended.Token);

        var answer = await ReadToEndAsync(stream);

        await ended.CancelAsync();
        await dripping;
        Assert.DoesNotContain("200 OK", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AHeadThatIsTooLarge_IsRefused()
    {
        await using var headers = await ConnectAsync();
        await SendAsync(headers, $"GET / HTTP/1.1\r\nHost: device\r\nX: {new string('x', 17 << 10)}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 431 ", await ReadToEndAsync(headers), StringComparison.Ordinal);

        await using var line = await ConnectAsync();
        await SendAsync(line, $"GET /{new string('x', 5 << 10)} HTTP/1.1\r\nHost: device\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 414 ", await ReadToEndAsync(line), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABody_IsForTheOwner()
    {
        using var form = new StringContent(new string('x', 9 << 10), Encoding.ASCII, "application/x-www-form-urlencoded");
        using var answer = await _scene.Http.PostAsync("/api/v1/session", form, Token);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);

        // Answered before the rest of it is waited for.
        await using var bundle = await ConnectAsync();
        await SendAsync(bundle, "POST /api/v1/updates/bundle HTTP/1.1\r\nHost: device\r\nContent-Length: 1000000000\r\n\r\n");
        var begin = new byte[12];
        await bundle.ReadExactlyAsync(begin, Token);
        Assert.Equal("HTTP/1.1 401", Encoding.ASCII.GetString(begin));
    }

    /// <summary>The page of one more asks now and then instead.</summary>
    [Fact]
    public async Task Listeners_AreLimited_AndLeaveRoom()
    {
        var listeners = new List<HttpResponseMessage>();
        for (var number = 0; number < LiveChanges.MostListeners; number++) listeners.Add(await _scene.Http.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead, Token));
        Assert.All(listeners, listener => Assert.Equal(HttpStatusCode.OK, listener.StatusCode));

        using var more = await _scene.Http.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead, Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, more.StatusCode);

        listeners.ForEach(listener => listener.Dispose());
        await Eventually.IsTrueAsync(async () =>
        {
            using var again = await _scene.Http.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead, Token);
            return again.StatusCode == HttpStatusCode.OK;
        }, "room for another");
    }

    private async Task<SslStream> ConnectAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _scene.Http.BaseAddress!.Port, Token);
        var stream = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate!.Subject.Contains("edge-7", StringComparison.Ordinal));
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "device" }, Token);
        return stream;
    }

    private static Task SendAsync(Stream stream, string text) => stream.WriteAsync(Encoding.ASCII.GetBytes(text), Token).AsTask();

    private static async Task DripAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await stream.WriteAsync("x"u8.ToArray(), cancellationToken);
                await Task.Delay(100, cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // cut off, or the test is over
        }
    }

    /// <summary>What comes until the other side ends the connection, which it does within any patience.</summary>
    private static async Task<string> ReadToEndAsync(Stream stream)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        var text = new MemoryStream();
        try
        {
            await stream.CopyToAsync(text, limit.Token);
        }
        catch (IOException)
        {
            // reset
        }
        return Encoding.ASCII.GetString(text.ToArray());
    }
}
