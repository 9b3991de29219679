using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Appliance.Core;

namespace Appliance.Supervisor.Fleet;

/// <summary>Speaks Eclipse hawkBit's Direct Device Integration API as a device (shared facts: protocols), and our server's additions to it.</summary>
/// <remarks>Links are taken for the numbers in them: a server behind a proxy may not know by what address it is reached.</remarks>
internal sealed partial class DdiClient : IDisposable
{
    /// <summary>Most bytes of an answer.</summary>
    private const int LargestAnswer = 1 << 20, LargestEvent = 64 << 10, LargestError = 16 << 10, LongestReason = 300;

    /// <summary>Our server says something every 25 s.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(90), ErrorLimit = TimeSpan.FromSeconds(10);

    /// <summary>hawkBit's errors have the first, problem documents (RFC 9457) the others.</summary>
    private static readonly string[] ReasonMembers = ["message", "title", "detail"];

    private readonly HttpClient _http;
    private readonly Uri _server, _base;
    private readonly TimeProvider _time;

    /// <summary>A device's part of a server.</summary>
    public DdiClient(FleetServer server, string deviceId, TimeProvider time)
    {
        (_http, _server, _time) = (server.CreateClient(LargestAnswer), server.Address, time);
        _base = new Uri(server.Address, $"{Uri.EscapeDataString(server.Tenant)}/controller/v1/{Uri.EscapeDataString(deviceId)}");
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>What there is to do.</summary>
    /// <exception cref="DdiException">The server does not say.</exception>
    public Task<DdiTasks> AskAsync(CancellationToken cancellationToken) => GetAsync("", DdiJson.Default.DdiTasks, cancellationToken);

    /// <summary>An action to be done.</summary>
    /// <exception cref="DdiException">The server does not say.</exception>
    public async Task<DdiDeployment> FetchAsync(string action, CancellationToken cancellationToken) =>
        (await GetAsync($"/deploymentBase/{action}", DdiJson.Default.DdiAction, cancellationToken)).Deployment ?? throw Nonsense("a deployment without one");

    /// <summary>Fetches a small file of an assignment.</summary>
    /// <param name="link">The link to it (<see cref="IsFile"/>).</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="DdiException">The server does not give it.</exception>
    public async Task<byte[]> FetchFileAsync(string link, CancellationToken cancellationToken)
    {
        using var answer = await AnswerAsync(new HttpRequestMessage(HttpMethod.Get, $"{_base}/{File().Match(link).Value}"), HttpCompletionOption.ResponseContentRead, cancellationToken);
        return await answer.Content.ReadAsByteArrayAsync(cancellationToken);
    }

    /// <summary>Whether a link leads to a file of the device's own part of DDI.</summary>
    public static bool IsFile(string link) => File().IsMatch(link);

    /// <summary>An action that somebody at the device has to agree to.</summary>
    /// <exception cref="DdiException">The server does not say.</exception>
    public async Task<DdiDeployment> FetchUnconfirmedAsync(string action, CancellationToken cancellationToken) =>
        (await GetAsync($"/confirmationBase/{action}", DdiJson.Default.DdiAction, cancellationToken)).Confirmation ?? throw Nonsense("a confirmation without one");

    /// <summary>The action that a wish to stop means.</summary>
    /// <exception cref="DdiException">The server does not say.</exception>
    public async Task<string> FetchCancelAsync(string action, CancellationToken cancellationToken) =>
        (await GetAsync($"/cancelAction/{action}", DdiJson.Default.DdiCancel, cancellationToken)).CancelAction?.StopId ?? action;

    /// <summary>Says how it goes with an action, or what came of the wish to stop it.</summary>
    /// <param name="kind"><c>deploymentBase</c> or <c>cancelAction</c>.</param>
    /// <param name="action">The action.</param>
    /// <param name="execution">How it goes: <c>proceeding</c>, <c>closed</c>, ….</param>
    /// <param name="finished">How it went: <c>success</c>, <c>failure</c> or <c>none</c>.</param>
    /// <param name="details">More, in words.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="DdiException">The server does not take it.</exception>
    public Task ReportAsync(string kind, string action, string execution, string finished, IReadOnlyList<string> details, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"/{kind}/{action}/feedback", new DdiFeedback(action, _time.GetUtcNow().ToUnixTimeMilliseconds(), new(execution, new(finished), details)), DdiJson.Default.DdiFeedback, cancellationToken);

    /// <summary>Says what somebody at the device says to an assignment.</summary>
    /// <exception cref="DdiException">The server does not take it.</exception>
    public Task ConfirmAsync(string action, bool agreed, string? words, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"/confirmationBase/{action}/feedback", new DdiConfirmation(agreed ? "confirmed" : "denied", words is null ? [] : [words]), DdiJson.Default.DdiConfirmation, cancellationToken);

    /// <summary>Says what the device is.</summary>
    /// <exception cref="DdiException">The server does not take it.</exception>
    public Task DescribeAsync(IReadOnlyDictionary<string, string> attributes, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Put, "/configData", new DdiAttributes("replace", attributes), DdiJson.Default.DdiAttributes, cancellationToken);

    /// <summary>Brings a report to our server; other servers have no place for it.</summary>
    /// <param name="batch">Its name: one that comes twice counts once.</param>
    /// <param name="packed">JSON, packed by gzip.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="DdiException">The server does not take it.</exception>
    public async Task BringAsync(string batch, byte[] packed, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(packed) { Headers = { ContentType = new MediaTypeHeaderValue("application/json"), ContentEncoding = { "gzip" } } };
        using var answer = await AnswerAsync(new HttpRequestMessage(HttpMethod.Put, $"{_base}/reports/{batch}") { Content = content }, HttpCompletionOption.ResponseContentRead, cancellationToken);
    }

    /// <summary>Asks our server to be let in.</summary>
    /// <returns>The device's own token.</returns>
    /// <exception cref="DdiException">It is not let in.</exception>
    public async Task<string> EnrolAsync(string token, string deviceId, CancellationToken cancellationToken)
    {
        using var content = Content(new EnrolmentRequest(token, deviceId), DdiJson.Default.EnrolmentRequest);
        using var answer = await AnswerAsync(new HttpRequestMessage(HttpMethod.Post, new Uri(_server, "api/v1/enrol")) { Content = content }, HttpCompletionOption.ResponseContentRead, cancellationToken);
        return (await ReadAsync(answer, DdiJson.Default.EnrolmentAnswer, cancellationToken)).Token is { } own && JoinRequest.IsToken(own) ? own : throw Nonsense("an enrolment without a token");
    }

    /// <summary>Waits for our server to say that there is something to do; ends when the connection does.</summary>
    /// <param name="poll">Called when there is.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="DdiException">The server has no such events (<see cref="DdiFault.Gone"/>), or the connection broke.</exception>
    public async Task ListenAsync(Action poll, CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var answer = await AnswerAsync(new HttpRequestMessage(HttpMethod.Get, $"{_base}/events") { Headers = { Accept = { new("text/event-stream") } } }, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        try
        {
            silence.CancelAfter(LongestSilence);
            var unread = 0L;
            await using var stream = new CountedStream(await answer.Content.ReadAsStreamAsync(silence.Token), read =>
            {
                silence.CancelAfter(LongestSilence);
                // The parser keeps what is not a whole event yet. Signs of life are none, and a connection that had so many may be made anew.
                if ((unread += read) > LargestEvent) throw new IOException("it says too much at once");
            });
            await foreach (var word in SseParser.Create(stream).EnumerateAsync(silence.Token))
            {
                unread = 0;
                if (word.EventType == "poll") poll();
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new DdiException(DdiFault.Unreachable, e is OperationCanceledException ? "it has said nothing for a while" : e.Message, inner: e);
        }
    }

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{_base}{path}") { Headers = { Accept = { new("application/hal+json"), new("application/json") } } };
        using var answer = await AnswerAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        return await ReadAsync(answer, type, cancellationToken);
    }

    private async Task SendAsync<T>(HttpMethod method, string path, T body, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, $"{_base}{path}") { Content = Content(body, type) };
        using var answer = await AnswerAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
    }

    private static ByteArrayContent Content<T>(T body, JsonTypeInfo<T> type) => new(JsonSerializer.SerializeToUtf8Bytes(body, type)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };

    private static async Task<T> ReadAsync<T>(HttpResponseMessage answer, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(cancellationToken), type) ?? throw Nonsense("nothing");
        }
        catch (JsonException e)
        {
            throw Nonsense(e.Message);
        }
    }

    private Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellationToken) => AnswerAsync(_http, request, completion, cancellationToken);

    /// <summary>Sends a request; gives the answer when it is a good one.</summary>
    /// <exception cref="DdiException">It is none.</exception>
    public static async Task<HttpResponseMessage> AnswerAsync(HttpClient http, HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await http.SendAsync(request, completion, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ObjectDisposedException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            if (ServerRefusal.AlertIn(e) is { } alert) throw new DdiException(DdiFault.Refused, $"it does not take the device's certificate: {PlainText.Clean(alert)}", inner: e);
            // What is behind it says more: a name that is not known, a certificate that is not trusted.
            throw new DdiException(DdiFault.Unreachable, e is OperationCanceledException ? "it does not answer" : e.InnerException is { } inner and not IOException ? inner.Message : e.Message, inner: e);
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer)
        {
            var text = await TextAsync(answer, cancellationToken);
            var fault = ServerRefusal.Is(answer.StatusCode, text) ? DdiFault.Refused : answer.StatusCode switch
            {
                HttpStatusCode.NotFound or HttpStatusCode.Gone => DdiFault.Gone,
                HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity or HttpStatusCode.UnsupportedMediaType => DdiFault.Rejected,
                _ => DdiFault.Unreachable,
            };
            throw new DdiException(fault, $"it answers {(int)answer.StatusCode} {answer.ReasonPhrase}{WordsIn(answer, text)}", WaitOf(answer));
        }
    }

    /// <summary>How long a server wants to be left alone: seconds, or until a moment (RFC 9110, 10.2.3), which is one by its clock, not by the device's.</summary>
    public static TimeSpan? WaitOf(HttpResponseMessage answer) => answer.Headers.RetryAfter is { } wait ? wait.Delta ?? (wait.Date - answer.Headers.Date) : null;

    /// <summary>The beginning of what an error says; empty where it does not come.</summary>
    private static async Task<string> TextAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(ErrorLimit);
            await using var body = await answer.Content.ReadAsStreamAsync(limit.Token);
            var bytes = new byte[LargestError];
            return Encoding.UTF8.GetString(bytes, 0, await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, limit.Token));
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return "";
        }
    }

    /// <summary>What an error says of itself, as far as it is worth showing.</summary>
    private static string WordsIn(HttpResponseMessage answer, string text)
    {
        if (answer.Content.Headers.ContentType?.MediaType == "text/plain") return Shown(text.ReplaceLineEndings(" ").Trim());
        try
        {
            using var document = JsonDocument.Parse(text);
            return Shown(string.Join(" ", ReasonMembers.Select(name => document.RootElement.TryGetProperty(name, out var word) && word.ValueKind == JsonValueKind.String ? word.GetString()! : "").Where(word => word.Length > 0)));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return "";
        }
    }

    private static string Shown(string words)
    {
        words = PlainText.Clean(words);
        return words.Length == 0 ? "" : $": {(words.Length <= LongestReason ? words : words[..LongestReason])}";
    }

    [GeneratedRegex("softwaremodules/[0-9]{1,18}/artifacts/[^/?#]+$")]
    private static partial Regex File();

    private static DdiException Nonsense(string what) => new(DdiFault.Unreachable, $"it answers what a DDI server does not{Shown(what)}");
}
