using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.Supervisor.Control;

/// <summary>Requests to a device's HTTPS surface. Its certificate is one that this machine trusts anyway, or the one with a known fingerprint.</summary>
internal sealed class DeviceConnection : IDisposable
{
    /// <summary>Hooks run before a restart, and may take their time.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(20), ConnectLimit = TimeSpan.FromSeconds(15);

    private readonly HttpClient _http;
    private readonly string? _fingerprint;

    /// <summary>Prepares a connection; nothing is sent yet.</summary>
    /// <param name="address">The device.</param>
    /// <param name="fingerprint">SHA-256 of the certificate that it must show; null takes any that this machine trusts.</param>
    /// <param name="certificate">A certificate with its key to show to the device, or null.</param>
    public DeviceConnection(DeviceAddress address, string? fingerprint = null, X509Certificate2? certificate = null)
    {
        (Host, _fingerprint) = (address.Named, fingerprint);
        var handler = new SocketsHttpHandler { ConnectTimeout = ConnectLimit, AllowAutoRedirect = false, UseCookies = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, errors) => Accept(shown, errors);
        if (certificate is not null) handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        _http = new HttpClient(handler) { BaseAddress = address.Url, Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/json");
    }

    /// <summary>The device as it was named.</summary>
    public string Host { get; }

    /// <summary>SHA-256 of the certificate that was shown last, or null.</summary>
    public string? Shown { get; private set; }

    /// <summary>Sends this log-in along from now on.</summary>
    public void Use(string token) => _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);

    /// <summary>Fetches JSON.</summary>
    public async Task<JsonNode> GetAsync(string path)
    {
        using var answer = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path));
        return await ReadAsync(answer);
    }

    /// <summary>Sends fields; gives the JSON of the answer, or null when it has none.</summary>
    public async Task<JsonNode?> PostAsync(string path, params IEnumerable<(string Name, string? Value)> fields)
    {
        var content = new FormUrlEncodedContent(fields.Where(field => field.Value is not null).Select(field => KeyValuePair.Create(field.Name, field.Value)));
        using var answer = await SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = content });
        return answer.StatusCode == HttpStatusCode.NoContent ? null : await ReadAsync(answer);
    }

    /// <summary>Sends a stream to its end, however long that takes; gives the JSON of the answer.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="body">What.</param>
    /// <param name="takes">Says of an answer that is no success whether it is one to read all the same.</param>
    public async Task<JsonNode> SendStreamAsync(string path, Stream body, Func<HttpResponseMessage, bool> takes)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StreamContent(body) };
        using var answer = await SendAsync(request, takes, Timeout.InfiniteTimeSpan);
        return await ReadAsync(answer);
    }

    /// <summary>Copies an answer into a stream.</summary>
    public async Task DownloadAsync(string path, Stream to)
    {
        using var answer = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path));
        try
        {
            await using var content = await answer.Content.ReadAsStreamAsync();
            await content.CopyToAsync(to);
        }
        catch (HttpIOException e)
        {
            throw new UserError($"{Host} did not send all of it: {e.Message}", "Try again.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private bool Accept(X509Certificate? shown, SslPolicyErrors errors)
    {
        if (shown is null) return false;
        Shown = PemCertificate.Fingerprint(shown);
        return _fingerprint is null ? errors == SslPolicyErrors.None : Shown == _fingerprint;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, Func<HttpResponseMessage, bool>? takes = null, TimeSpan? limit = null)
    {
        using var patience = new CancellationTokenSource(limit ?? Patience);
        try
        {
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            if (answer.IsSuccessStatusCode || takes?.Invoke(answer) == true) return answer;
            using (answer) throw await ProblemAsync(answer);
        }
        catch (OperationCanceledException e)
        {
            throw Unreachable("it does not answer", e);
        }
        catch (HttpRequestException e)
        {
            throw e.InnerException is AuthenticationException && Shown is { } shown ? Distrusted(shown, e) : Unreachable((e.InnerException ?? e).Message.TrimEnd('.'), e);
        }
    }

    private UserError Unreachable(string why, Exception e) => new($"{Host} cannot be reached: {why}.", "Is it on, and is that its address? It may be restarting.", e);

    private UserError Distrusted(string shown, Exception e) => _fingerprint is null
        ? new UserError($"The certificate of {Host} is not one that this machine trusts; its SHA-256 fingerprint is {shown}.", $"When the device's console shows the same: appliancectl --host {Host} login --fingerprint {shown}", e)
        : new UserError($"{Host} shows another certificate than the known one: its SHA-256 fingerprint is {shown} and not {_fingerprint}.", $"Somebody may be in between. When the device's console shows the new one: appliancectl --host {Host} login --fingerprint {shown}", e);

    private async Task<Exception> ProblemAsync(HttpResponseMessage answer)
    {
        if (answer.StatusCode == HttpStatusCode.Unauthorized && _http.DefaultRequestHeaders.Authorization is not null) return new UserError($"You are not logged in at {Host} any more.", $"appliancectl --host {Host} login");
        if (answer.Content.Headers.ContentType?.MediaType != "application/problem+json") return new UserError($"{Host} answers {(int)answer.StatusCode} {answer.ReasonPhrase}.", "It may be no such device, or one with an older image.");
        var problem = await ReadAsync(answer);
        var (title, detail) = ((string?)problem["title"] ?? "", (string?)problem["detail"]);
        return (int)answer.StatusCode < 500 ? new UserError(title, detail) : new DeviceFailedException(detail ?? title);
    }

    private async Task<JsonNode> ReadAsync(HttpResponseMessage answer)
    {
        try
        {
            return JsonNode.Parse(await answer.Content.ReadAsStreamAsync())!;
        }
        catch (Exception e) when (e is JsonException or HttpRequestException or IOException)
        {
            throw new UserError($"The answer of {Host} cannot be read: {e.Message}", "It may be no such device.", e);
        }
    }
}
