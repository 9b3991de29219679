using System.Net;
using System.Text.RegularExpressions;

namespace Supervisor.Tests.Web;

/// <summary>What a browser does with forms, without one: keeps cookies, sends the page's fields, follows.</summary>
internal sealed class Browser : IDisposable
{
    public const string Password = "correct horse battery";

    private readonly HttpClient _http;

    public Browser(Uri address, HttpClientHandler? handler = null)
    {
        _http = new HttpClient(handler ?? new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }) { BaseAddress = address };
        _http.DefaultRequestHeaders.Accept.ParseAdd("text/html");
    }

    /// <summary>The page shown, or what came instead of one.</summary>
    public string Page { get; private set; } = "";

    /// <summary>Where it is.</summary>
    public string Path { get; private set; } = "";

    public HttpStatusCode Status { get; private set; }

    public void Dispose() => _http.Dispose();

    public async Task GoAsync(string path) => await ShowAsync(new HttpRequestMessage(HttpMethod.Get, path));

    /// <summary>Sends the form of the page that goes to <paramref name="action"/>, with these fields filled in.</summary>
    public Task SubmitAsync(string action, params (string Name, string Value)[] fields)
    {
        var form = Regex.Matches(Page, "<form method=\"post\" action=\"([^\"]+)\">(.*?)</form>", RegexOptions.Singleline).FirstOrDefault(match => match.Groups[1].Value == action) ?? throw new InvalidOperationException($"no form for {action} on {Path}: {Page}");
        var hidden = Regex.Matches(form.Groups[2].Value, "<input type=\"hidden\" name=\"([^\"]+)\" value=\"([^\"]*)\">").Select(match => (match.Groups[1].Value, match.Groups[2].Value));
        return PostAsync(action, [.. hidden, .. fields]);
    }

    /// <summary>Sends fields that are on no page.</summary>
    public Task PostAsync(string action, params (string Name, string Value)[] fields) =>
        ShowAsync(new HttpRequestMessage(HttpMethod.Post, action) { Content = Form(fields) });

    /// <summary>Fields as a form sends them.</summary>
    public static FormUrlEncodedContent Form(params IEnumerable<(string Name, string Value)> fields) => new(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));

    public Task<byte[]> DownloadAsync(string path) => _http.GetByteArrayAsync(path, TestContext.Current.CancellationToken);

    public async Task ShowAsync(HttpRequestMessage request)
    {
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        (Status, Page, Path) = (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), response.RequestMessage!.RequestUri!.AbsolutePath);
    }

    /// <summary>Becomes the owner of a new device.</summary>
    public async Task OwnAsync(string setupCode)
    {
        await GoAsync("/login");
        await SubmitAsync("/login", ("secret", setupCode));
        await SubmitAsync("/api/v1/password", ("password", Password), ("again", Password));
    }
}
