using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.ImageBuilder.Fleet;

/// <summary>Requests to an update server's management API (docs/server.md).</summary>
internal sealed class FleetClient : IDisposable
{
    /// <summary>How long the server may take over files.</summary>
    public static readonly TimeSpan FileLimit = TimeSpan.FromHours(6);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);
    private readonly HttpClient _http;
    private readonly Uri _server;
    private readonly string? _fingerprint;
    private string _shown = "";

    /// <summary>For a server and a key.</summary>
    /// <param name="server">Its address.</param>
    /// <param name="key">The key.</param>
    /// <param name="fingerprint">SHA-256 of the certificate that it must show, in hexadecimal; null takes any that this machine trusts.</param>
    public FleetClient(Uri server, string key, string? fingerprint)
    {
        (_server, _fingerprint) = (server, fingerprint?.Replace(":", "", StringComparison.Ordinal).ToLowerInvariant());
        var handler = new SocketsHttpHandler { SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = Trusts }, AllowAutoRedirect = false };
        _http = new HttpClient(handler) { BaseAddress = new Uri(server, "/api/v1/"), Timeout = Timeout.InfiniteTimeSpan, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Asks for something.</summary>
    /// <exception cref="UserError">The server refuses, or cannot be reached.</exception>
    public Task<JsonNode?> GetAsync(string path, CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, path, null, cancellationToken);

    /// <summary>Tells it something.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">The path below <c>/api/v1/</c>.</param>
    /// <param name="body">What to send; null for nothing.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>What it answers; null for nothing.</returns>
    /// <exception cref="UserError">The server refuses, or cannot be reached.</exception>
    public Task<JsonNode?> SendAsync(HttpMethod method, string path, JsonObject? body, CancellationToken cancellationToken) => SendAsync(method, path, body, Limit, cancellationToken);

    /// <summary>Tells it something that may take it a while.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">The path below <c>/api/v1/</c>.</param>
    /// <param name="body">What to send; null for nothing.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>What it answers; null for nothing.</returns>
    /// <exception cref="UserError">The server refuses, or cannot be reached.</exception>
    public async Task<JsonNode?> SendAsync(HttpMethod method, string path, JsonObject? body, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        return await AskAsync(method, path, content, limit, ReadJsonAsync, cancellationToken);
    }

    /// <summary>Sends a file.</summary>
    /// <param name="path">The path below <c>/api/v1/</c>.</param>
    /// <param name="file">The file.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The server refuses, or cannot be reached.</exception>
    public Task UploadAsync(string path, Stream file, CancellationToken cancellationToken) => UploadAsync(path, file, (_, _) => Task.FromResult(true), cancellationToken);

    /// <summary>Sends a file, and reads what the server answers to it; null for nothing.</summary>
    /// <param name="path">The path below <c>/api/v1/</c>.</param>
    /// <param name="file">The file.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The server refuses, or cannot be reached.</exception>
    public Task<JsonNode?> UploadAndReadAsync(string path, Stream file, CancellationToken cancellationToken) => UploadAsync(path, file, ReadJsonAsync, cancellationToken);

    /// <summary>Fetches a file of the repository that the server hosts, and gives it to whoever reads it; nothing when there is none.</summary>
    /// <param name="path">The path in the repository.</param>
    /// <param name="read">Reads it; its token ends when there is no more time for it, too.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The server cannot be reached.</exception>
    public Task<T?> ReadFileAsync<T>(string path, Func<Stream, CancellationToken, Task<T>> read, CancellationToken cancellationToken) where T : class =>
        AskAsync(HttpMethod.Get, $"/repository/{path}", null, FileLimit, async (answer, stop) => await read(await answer.Content.ReadAsStreamAsync(stop), stop), cancellationToken, mayBeMissing: true);

    private async Task<T?> UploadAsync<T>(string path, Stream file, Func<HttpResponseMessage, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        using var content = new StreamContent(file);
        return await AskAsync(HttpMethod.Put, path, content, FileLimit, read, cancellationToken);
    }

    private async Task<T?> AskAsync<T>(HttpMethod method, string path, HttpContent? content, TimeSpan limit, Func<HttpResponseMessage, CancellationToken, Task<T>> read, CancellationToken cancellationToken, bool mayBeMissing = false)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var timed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timed.CancelAfter(limit);
        try
        {
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timed.Token);
            if (mayBeMissing && answer.StatusCode == HttpStatusCode.NotFound) return default;
            return answer.IsSuccessStatusCode ? await read(answer, timed.Token) : throw Refused(answer, await answer.Content.ReadAsStringAsync(timed.Token));
        }
        catch (HttpRequestException e) when (e.InnerException is AuthenticationException)
        {
            throw new UserError(_fingerprint is null ? $"The certificate of {_server} is not one that this machine trusts; its SHA-256 fingerprint is {_shown}." : $"{_server} shows another certificate than the known one: its SHA-256 fingerprint is {_shown} and not {_fingerprint}.",
                $"When the server's log says the same at its start: --fingerprint {_shown}", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new UserError($"{_server} cannot be reached: {e.Message}", "Is it the server's address (--server), and does it run?", e);
        }
        catch (JsonException e)
        {
            throw new UserError($"{_server} does not answer as an update server does.", "Is it the address of `appliance-server serve`?", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new UserError($"{_server} did not answer within {limit.TotalSeconds} s.", "Try again, or look at its log.", e);
        }
    }

    private static async Task<JsonNode?> ReadJsonAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    private UserError Refused(HttpResponseMessage answer, string text)
    {
        var detail = TryRead(text);
        return answer.StatusCode switch
        {
            HttpStatusCode.Unauthorized => new UserError($"{_server} does not know the key.", "Make one on its page under Access, or there: appliance-server key NAME"),
            HttpStatusCode.NotFound => new UserError(detail ?? $"{_server} does not answer as an update server does."),
            _ => new UserError(detail ?? PlainText.Clean($"{_server} answers {(int)answer.StatusCode} {answer.ReasonPhrase}.")),
        };
    }

    private static string? TryRead(string text)
    {
        try
        {
            return (string?)(JsonNode.Parse(text) as JsonObject)?["detail"] is { } detail ? PlainText.Clean(detail) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private bool Trusts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 shown) return false;
        _shown = PemCertificate.Fingerprint(shown);
        return _fingerprint is null ? errors == SslPolicyErrors.None : _shown == _fingerprint;
    }
}
