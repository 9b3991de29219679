using System.Net;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Service;

namespace Supervisor.Tests.Web;

/// <summary>Logging in over HTTP, and everything that tries to get around it.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;
    private Browser _browser = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Code => _scene.Service<OwnerAccess>().SetupCode!;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        await _scene.StartAsync();
        _browser = new Browser(_scene.Http.BaseAddress!);
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        await _scene.DisposeAsync();
    }

    [Fact]
    public async Task TheCodeOnTheConsole_MakesAnOwner_WithAPassword()
    {
        var issue = await File.ReadAllLinesAsync(_scene.File("50-appliance.issue"), Token);
        Assert.Contains($"Setup code: {Code}", issue);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scene.File("50-appliance.issue")));
        await _browser.GoAsync("/updates");
        Assert.Equal("/login", _browser.Path);

        await _browser.SubmitAsync("/login", ("secret", Code));
        Assert.Equal("/password", _browser.Path);
        await _browser.GoAsync("/updates");
        Assert.Equal("/password", _browser.Path);
        await _browser.SubmitAsync("/api/v1/password", ("password", Browser.Password), ("again", "something else"));
        Assert.Equal(HttpStatusCode.Conflict, _browser.Status);
        Assert.Contains("The two passwords differ.", _browser.Page, StringComparison.Ordinal);
        await _browser.SubmitAsync("/api/v1/password", ("password", Browser.Password), ("again", Browser.Password));

        Assert.Equal("/updates", _browser.Path);
        await Eventually.IsTrueAsync(async () => !(await File.ReadAllTextAsync(_scene.File("50-appliance.issue"), Token)).Contains("Setup code", StringComparison.Ordinal), "the code to go from the console");
        await _browser.SubmitAsync("/api/v1/logout");
        Assert.Equal("/", _browser.Path);
        Assert.Contains("Log in", _browser.Page, StringComparison.Ordinal);
        await _browser.GoAsync("/login");
        await _browser.SubmitAsync("/login", ("secret", Browser.Password));
        Assert.Equal("/updates", _browser.Path);
    }

    [Theory]
    [InlineData("multipart/form-data", "x")]
    [InlineData("multipart/form-data; boundary=b", "no such thing")]
    [InlineData("application/x-www-form-urlencoded", null)]
    public async Task AFormThatIsNone_IsRefused(string type, string? body)
    {
        using var content = new StringContent(body ?? string.Concat(Enumerable.Range(0, 1100).Select(number => $"{number}=&")));
        content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type);

        using var answer = await _scene.Http.PostAsync("/api/v1/session", content, Token);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }

    /// <summary>The device itself comes from a loopback address, as this test does: its share is what it gets, and what ends makes room.</summary>
    [Fact]
    public async Task ConnectionsAboveTheShare_AreClosed()
    {
        var clients = new List<System.Net.Sockets.TcpClient>();
        try
        {
            for (var number = 0; number < Appliance.Supervisor.Web.ConnectionShares.MostOfDevice; number++)
            {
                clients.Add(new System.Net.Sockets.TcpClient());
                await clients[^1].ConnectAsync(IPAddress.Loopback, _scene.Http.BaseAddress!.Port, Token);
            }
            await Eventually.IsTrueAsync(async () =>
            {
                using var more = new System.Net.Sockets.TcpClient();
                await more.ConnectAsync(IPAddress.Loopback, _scene.Http.BaseAddress!.Port, Token);
                using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(1));
                try
                {
                    return await more.GetStream().ReadAsync(new byte[1], soon.Token) == 0;
                }
                catch (Exception e) when (e is IOException or OperationCanceledException)
                {
                    return e is IOException;
                }
            }, "one to be closed");
        }
        finally
        {
            foreach (var client in clients) client.Dispose();
        }
        await Eventually.IsTrueAsync(async () =>
        {
            try
            {
                return (await _scene.Http.GetAsync("/page.js", Token)).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "room");
    }

    [Fact]
    public async Task AWrongPassword_IsRefused_AndSoAreTooManyAttempts()
    {
        await _browser.GoAsync("/login");
        for (var attempt = 0; attempt < OwnerAccess.Attempts; attempt++)
        {
            await _browser.SubmitAsync("/login", ("secret", "WRON-GONE"));
            Assert.Equal(HttpStatusCode.Unauthorized, _browser.Status);
            Assert.Contains("That is not the setup code.", _browser.Page, StringComparison.Ordinal);
        }

        await _browser.SubmitAsync("/login", ("secret", Code));

        Assert.Equal(HttpStatusCode.TooManyRequests, _browser.Status);
        Assert.Contains("too many attempts", _browser.Page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/v1/updates/check")]
    [InlineData("/api/v1/updates/install")]
    [InlineData("/api/v1/updates/bundle")]
    [InlineData("/api/v1/updates/cancel")]
    [InlineData("/api/v1/updates/reboot")]
    [InlineData("/api/v1/updates/rollback")]
    [InlineData("/api/v1/updates/mark-good")]
    [InlineData("/api/v1/updates/mark-bad")]
    [InlineData("/api/v1/updates/clear-failed")]
    public async Task WhatChangesSomething_IsForTheOwner(string path)
    {
        using var nobody = await _scene.Http.PostAsync(path, null, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, nobody.StatusCode);

        using var setup = new HttpRequestMessage(HttpMethod.Post, path) { Headers = { { "Authorization", $"Bearer {await SessionAsync(Code)}" } } };
        using var notYet = await _scene.Http.SendAsync(setup, Token);
        Assert.Equal(HttpStatusCode.Forbidden, notYet.StatusCode);

        await _browser.OwnAsync(Code);
        await _browser.PostAsync(path, ("formToken", "of another page"));
        Assert.Equal(HttpStatusCode.Forbidden, _browser.Status);
    }

    [Theory]
    [InlineData("/api/v1/network")]
    [InlineData("/api/v1/state")]
    [InlineData("/api/v1/support")]
    [InlineData("/api/v1/updates")]
    public async Task WhatIsNotForEverybody_IsReadByTheOwner(string path)
    {
        using var nobody = await _scene.Http.GetAsync(path, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, nobody.StatusCode);
        using var setup = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Authorization", $"Bearer {await SessionAsync(Code)}" } } };
        using var notYet = await _scene.Http.SendAsync(setup, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, notYet.StatusCode);

        await _browser.OwnAsync(Code);
        await _browser.GoAsync(path);
        Assert.Equal(HttpStatusCode.OK, _browser.Status);
    }

    [Fact]
    public async Task AnotherSite_CannotUseTheOwnersLogIn()
    {
        await _browser.OwnAsync(Code);
        foreach (var (header, value) in new[] { ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Origin", "null") })
        {
            await _browser.ShowAsync(new HttpRequestMessage(HttpMethod.Post, "/api/v1/updates/check") { Headers = { { header, value } } });
            Assert.Equal(HttpStatusCode.Forbidden, _browser.Status);
            Assert.Contains("Another site sent this request.", _browser.Page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task TheCookie_StaysWithThisDevice_AndAwayFromScripts()
    {
        using var plain = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true, AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = _scene.Http.BaseAddress };
        using var answer = await plain.PostAsync("/login", Browser.Form(("secret", Code)), Token);

        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        var cookie = answer.Headers.GetValues("Set-Cookie").Single().Split("; ");
        Assert.StartsWith("__Host-session=", cookie[0], StringComparison.Ordinal);
        Assert.Superset(new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "path=/", "secure", "httponly", "samesite=strict" }, cookie.ToHashSet(StringComparer.OrdinalIgnoreCase));
        Assert.DoesNotContain(cookie, part => part.StartsWith("domain", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task AFormThatIsTooLarge_IsRefused()
    {
        using var answer = await _scene.Http.PostAsync("/login", Browser.Form(("secret", new string('x', 9000))), Token);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task WhoIsOnTheDevice_ReadsTheCode_AndCanMakeANewBeginning()
    {
        Assert.Equal(Code, await CallAsync("SetupCode"));
        await _browser.OwnAsync(Code);
        Assert.Equal("", await CallAsync("SetupCode"));

        var code = await CallAsync("ResetAccess");

        Assert.Equal(Code, code);
        await _browser.GoAsync("/updates");
        Assert.Equal("/login", _browser.Path);
    }

    private async Task<string> SessionAsync(string secret)
    {
        using var answer = await _scene.Http.PostAsync("/api/v1/session", Browser.Form(("secret", secret)), Token);
        return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["token"]!;
    }

    private async Task<string> CallAsync(string method) => (string)(await _scene.Client.CallAsync(SupervisorObject.Name, SupervisorObject.Path, SupervisorObject.Name, method))[0];
}
