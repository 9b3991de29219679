using System.Net;
using System.Text.Json.Nodes;
using Appliance.Core.Access;
using Core.Tests.Access;

namespace Supervisor.Tests.Web;

/// <summary>Logging in with a certificate, over real TLS.</summary>
public sealed class ClientCertificateTests : IAsyncLifetime
{
    private readonly SomeAuthority _authority = new();
    private DaemonScene _scene = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        _scene.Device.Write(ClientAuthority.FilePath.TrimStart('/'), _authority.Pem);
        await _scene.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        _authority.Dispose();
    }

    [Fact]
    public async Task ACertificateOfTheAuthority_LogsInAProgram_UnderItsName()
    {
        using var http = Client(_authority.Make("ada"));

        var session = await LogInAsync(http, HttpStatusCode.OK);

        Assert.False((bool)session["setup"]!);
        http.DefaultRequestHeaders.Authorization = new("Bearer", (string)session["token"]!);
        using var refused = await http.PostAsync("/api/v1/updates/mark-bad", Browser.Form(("slot", "a")), Token);
        Assert.Equal(HttpStatusCode.InternalServerError, refused.StatusCode); // it was let in: there is no worker
        Assert.Equal("ada from 127.0.0.1", _scene.Service<Appliance.Supervisor.Access.OwnerAccess>().Find((string)session["token"]!) is { } found ? new Appliance.Supervisor.Web.Caller(found, false, IPAddress.Loopback).Name : "");
    }

    [Fact]
    public async Task TheLogIn_DoesNotOutliveTheCertificate()
    {
        var end = DateTimeOffset.UtcNow.AddHours(1);
        using var http = Client(_authority.Make("ada", until: end));

        Assert.True((DateTimeOffset)(await LogInAsync(http, HttpStatusCode.OK))["until"]! <= end);
    }

    [Fact]
    public async Task AnotherCertificate_IsRefusedWithTheReason_AndReadsThePageAllTheSame()
    {
        using var other = new SomeAuthority("somebody else");
        using var http = Client(other.Make("eve"));

        var problem = await LogInAsync(http, HttpStatusCode.Unauthorized);

        Assert.StartsWith("The certificate does not log in: the device's authority did not make it for that", (string?)problem["title"], StringComparison.Ordinal);
        Assert.Contains("edge-7", await http.GetStringAsync("/", Token), StringComparison.Ordinal);
        Assert.DoesNotContain("with the certificate of", await http.GetStringAsync("/login", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutOne_AnEmptyPassword_IsNoLogIn()
    {
        using var http = Client(null);

        await LogInAsync(http, HttpStatusCode.Unauthorized);

        Assert.DoesNotContain("with the certificate of", await http.GetStringAsync("/login", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABrowser_HasAButtonForIt()
    {
        using var handler = Handler(_authority.Make("ada <b>"));
        using var browser = new Browser(_scene.Http.BaseAddress!, handler);
        await browser.GoAsync("/login");
        Assert.Contains("Log in with the certificate of ada &lt;b&gt;", browser.Page, StringComparison.Ordinal);

        await browser.SubmitAsync("/login");

        Assert.Equal("/updates", browser.Path);
        Assert.Contains("Log out", browser.Page, StringComparison.Ordinal);
    }

    private HttpClient Client(string? pem) => new(Handler(pem)) { BaseAddress = _scene.Http.BaseAddress };

    private static HttpClientHandler Handler(string? pem)
    {
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        if (pem is not null) handler.ClientCertificates.Add(PemCertificate.Load(pem));
        return handler;
    }

    private static async Task<JsonNode> LogInAsync(HttpClient http, HttpStatusCode expected)
    {
        using var answer = await http.PostAsync("/api/v1/session", Browser.Form(), Token);
        Assert.Equal(expected, answer.StatusCode);
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!;
    }
}
