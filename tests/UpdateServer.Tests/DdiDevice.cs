using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace UpdateServer.Tests;

/// <summary>A device that speaks DDI, word for word.</summary>
internal sealed class DdiDevice(HttpClient http, string id)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Base => $"/default/controller/v1/{id}";

    /// <summary>Asks what there is to do.</summary>
    public Task<JsonNode> PollAsync() => GetAsync(Base);

    /// <summary>The link that a poll gives under a name; null when there is none.</summary>
    public async Task<string?> LinkAsync(string name) => (string?)(await PollAsync())["_links"]![name]?["href"];

    public async Task<JsonNode> GetAsync(string path) => await ServerScene.ReadAsync(await http.GetAsync(path, Token));

    public async Task<HttpStatusCode> StatusAsync(string path)
    {
        using var answer = await http.GetAsync(path, Token);
        return answer.StatusCode;
    }

    public Task<HttpResponseMessage> DownloadAsync(string href) => http.GetAsync(href, Token);

    /// <summary>Waits for events.</summary>
    public async Task<EventStream> ListenAsync()
    {
        var answer = await http.GetAsync($"{Base}/events", HttpCompletionOption.ResponseHeadersRead, Token);
        return new EventStream(answer, new StreamReader(await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(Token)));
    }

    /// <summary>Says how it goes with an action.</summary>
    public async Task<HttpStatusCode> ReportAsync(string kind, long action, string execution, string finished = "none", params string[] details)
    {
        using var answer = await http.PostAsJsonAsync($"{Base}/{kind}/{action}/feedback", new { id = $"{action}", time = "20261128T120000", status = new { execution, result = new { finished }, details } }, Token);
        return answer.StatusCode;
    }

    public Task<HttpResponseMessage> PostAsync(string path, string body = "{}") => http.PostAsync($"{Base}/{path}", new StringContent(body, Encoding.UTF8, "application/json"), Token);

    public async Task<HttpStatusCode> ConfirmAsync(long action, string confirmation)
    {
        using var answer = await http.PostAsJsonAsync($"{Base}/confirmationBase/{action}/feedback", new { confirmation, code = 1, details = new[] { "the till is closed" } }, Token);
        return answer.StatusCode;
    }

    public async Task<HttpStatusCode> DescribeAsync(object data, string? mode = null)
    {
        using var answer = await http.PutAsJsonAsync($"{Base}/configData", new { mode, data }, Token);
        return answer.StatusCode;
    }

    /// <summary>Sends a report, packed.</summary>
    public async Task<HttpStatusCode> SendReportAsync(string batch, object report)
    {
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) await JsonSerializer.SerializeAsync(gzip, report, JsonSerializerOptions.Web, Token);
        using var content = new ByteArrayContent(packed.ToArray()) { Headers = { ContentType = new("application/json"), ContentEncoding = { "gzip" } } };
        using var answer = await http.PutAsync($"{Base}/reports/{batch}", content, Token);
        return answer.StatusCode;
    }

    /// <summary>Fetches what it has to do, and ends it.</summary>
    public async Task DoAsync(string finished)
    {
        var link = await LinkAsync("deploymentBase");
        Assert.NotNull(link);
        var action = long.Parse((string)(await GetAsync(link))["id"]!, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(HttpStatusCode.OK, await ReportAsync("deploymentBase", action, "proceeding"));
        Assert.Equal(HttpStatusCode.OK, await ReportAsync("deploymentBase", action, "closed", finished, $"it was a {finished}"));
    }
}
