using System.Net;
using System.Text.RegularExpressions;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Fleet;
using Core.Tests.Tuf;
using Microsoft.Playwright;
using Supervisor.Tests.Web;

namespace UpdateServer.Tests.Pages;

/// <summary>The fleet's pages in a real browser: Debian's Chromium, the whole server over TLS. With APPLIANCE_SCREENSHOTS=1 the pictures of docs/images are taken anew.</summary>
public sealed class FleetPageTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private readonly List<string> _complaints = [];
    private readonly SettableTime _time = new(Noon);
    private ServerScene _scene = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, time: _time, secure: true);
        _playwright = await Playwright.CreateAsync();
        _browser = await Chromium.LaunchAsync(_playwright);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _scene.DisposeAsync();
    }

    [Fact]
    public async Task ARollout_IsMade_Watched_AndPausesByItself()
    {
        await MakeFleetAsync(10);
        await _scene.UploadAsync("edge", "1.1", [1]);
        var page = await LogInAsync(_scene.Key);
        await Assertions.Expect(page.Locator(".tiles")).ToContainTextAsync("Devices10");

        await page.GetByRole(AriaRole.Link, new() { Name = "Rollouts" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "New rollout" }).ClickAsync();
        await page.GetByLabel("Name").FillAsync("1.1 for Berlin");
        await page.GetByLabel("Devices", new() { Exact = true }).FillAsync("label.site=berlin");
        await page.GetByLabel("Groups").FillAsync("2 50%");
        await page.GetByLabel("Pause at failure of, %").FillAsync("50");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make it" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "1.1 for Berlin" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Start" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Img, new() { Name = "0 of 2 run it, 0 failed, 2 are at it, 0 called off" })).ToBeVisibleAsync();

        // What happens from here on comes onto the page by itself.
        var rows = page.Locator("table").Nth(1).GetByRole(AriaRole.Row).Filter(new() { HasText = "running" });
        await Assertions.Expect(rows).ToHaveCountAsync(2);
        var members = await page.Locator("table").Nth(1).GetByRole(AriaRole.Row).Filter(new() { HasText = "running" }).GetByRole(AriaRole.Link).AllInnerTextsAsync();
        await _scene.Device(members[0]).DoAsync("success");
        await Assertions.Expect(page.GetByRole(AriaRole.Img, new() { Name = "1 of 2 run it, 0 failed, 1 are at it, 0 called off" })).ToBeVisibleAsync();
        await _scene.Device(members[1]).DoAsync("failure");
        await _scene.StepAsync();
        await Assertions.Expect(page.Locator("main > p .state")).ToHaveTextAsync("paused");
        await Chromium.PictureAsync(page, "fleet-rollout");
        await page.GetByRole(AriaRole.Link, new() { Name = "failed", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = members[1] })).ToContainTextAsync("it was a failure");

        await page.GetByRole(AriaRole.Button, new() { Name = "Call off" }).ClickAsync();
        await Assertions.Expect(page.Locator("main > p .state")).ToHaveTextAsync("canceled");
        await page.GetByRole(AriaRole.Link, new() { Name = "Audit log" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "rollout.start" })).ToContainTextAsync("anna");
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task ADevice_IsFound_AndWorkedWith()
    {
        await MakeFleetAsync(60);
        await _scene.UploadAsync("edge", "1.1", [1]);
        var page = await LogInAsync(_scene.Key);

        await page.GotoAsync("/devices");
        await Assertions.Expect(page.GetByText("60 devices")).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Next" }).ClickAsync();
        await Assertions.Expect(page.Locator("tbody tr")).ToHaveCountAsync(10);
        await page.GetByLabel("Id").FillAsync("edge-0");
        await page.GetByLabel("Filter").FillAsync("health=unhealthy");
        await page.GetByRole(AriaRole.Button, new() { Name = "Find" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "edge-03" }).ClickAsync();

        await Assertions.Expect(page.GetByText("web: cannot reach the till").First).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator(".log li.bad")).ToHaveTextAsync(new Regex("web: cannot reach the till"));
        await page.GetByLabel("Name").FillAsync("floor");
        await page.GetByLabel("Value, empty to take it away").FillAsync("2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Set" }).ClickAsync();
        await Assertions.Expect(page.Locator("dl")).ToContainTextAsync("label.floor2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Give" }).ClickAsync();
        await Assertions.Expect(page.Locator("tbody .state")).ToHaveTextAsync("pending");
        await _scene.Device("edge-03").DoAsync("success");
        await Assertions.Expect(page.Locator("tbody .state")).ToHaveTextAsync("finished"); // by itself
        await Chromium.PictureAsync(page, "fleet-device");

        using var certificate = await _scene.IssueAsync("edge-03");
        await page.ReloadAsync();
        await page.GetByLabel("It needs another way in then: a token").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();
        await Assertions.Expect(page.Locator("dl")).ToContainTextAsync(", revoked 20");

        await page.GetByLabel("It is refused from then on").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Take out" }).ClickAsync();
        await Assertions.Expect(page.GetByText("59 devices")).ToBeVisibleAsync();
        await page.GotoAsync("/devices/edge-03");
        await page.GetByLabel("By a new token, which is shown once").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Let it in" }).ClickAsync();
        await Assertions.Expect(page.GetByText("edge-03").First).ToBeVisibleAsync();
        await page.GotoAsync("/devices");
        await Assertions.Expect(page.GetByText("60 devices")).ToBeVisibleAsync();
        await page.GetByLabel("Filter").FillAsync("health=splendid");
        await page.GetByRole(AriaRole.Button, new() { Name = "Find" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("\"splendid\" is no health of a device.");
        Assert.DoesNotContain(_complaints, complaint => !complaint.Contains("400", StringComparison.Ordinal)); // the browser tells of the refusal
    }

    [Fact]
    public async Task ARotation_IsMade_AndGivenToADevice()
    {
        await MakeFleetAsync(1);
        var page = await LogInAsync(_scene.Key);
        await page.GotoAsync("/devices/edge-00");
        await page.GetByLabel("Credential").FillAsync("page-certificate");
        await page.GetByRole(AriaRole.Button, new() { Name = "Rotate" }).ClickAsync();
        await Assertions.Expect(page.Locator("tbody tr")).ToContainTextAsync("page-certificate 20261128T1200Z");
        await _scene.Device("edge-00").DoAsync("success");
        await Assertions.Expect(page.Locator("tbody .state")).ToHaveTextAsync("finished");
        await Assertions.Expect(page.Locator("article dl")).ToContainTextAsync("Installed by the servernothing yet");

        await page.GotoAsync("/releases");
        await page.GetByLabel("Rotate a credential").FillAsync("ssh-host-key");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make a rotation" }).ClickAsync();
        var row = page.GetByRole(AriaRole.Row).Filter(new() { HasText = "ssh-host-key 20261128T1200Z" });
        await Assertions.Expect(row).ToContainTextAsync("rotation");
        await row.GetByRole(AriaRole.Link, new() { Name = "Roll out" }).ClickAsync();
        await Assertions.Expect(page.GetByLabel("Release").Locator("option:checked")).ToHaveTextAsync("ssh-host-key 20261128T1200Z");
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task TheOverview_TellsOfCertificatesThatEnd()
    {
        await MakeFleetAsync(1);
        await _scene.ShowAsync("edge-00", await _scene.IssueAsync("edge-00"));
        var message = (await LogInAsync(_scene.Key)).Locator("main .message");
        await Assertions.Expect(message).ToHaveCountAsync(0);

        _time.Now = Noon.AddDays(25);
        await _scene.Service<RenewalWatch>().LookAsync(Token);
        await Assertions.Expect((await LogInAsync(_scene.Key)).Locator("main .message")).ToHaveTextAsync("The certificates of 1 device end within 7 days and were not renewed.");
        _time.Now = Noon.AddYears(10).AddDays(-100);
        await _scene.Service<RenewalWatch>().LookAsync(Token); // the device's has ended long ago
        await Assertions.Expect((await LogInAsync(_scene.Key)).Locator("main .message")).ToContainTextAsync("The authority that issues devices' certificates ends on 2036-11-28 12:00:00");
        Assert.Empty(_complaints);
    }

    /// <summary>Whatever a device says of itself is text to the page.</summary>
    [Fact]
    public async Task ADeviceCannotWriteThePage()
    {
        const string Evil = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>";
        var device = _scene.Device("edge-1");
        await device.DescribeAsync(new { version = Evil, board = "'\"<b>" });
        await device.SendReportAsync("b-1", new { at = Noon, health = "unhealthy", reasons = new[] { Evil }, log = new[] { new { at = Noon, priority = 3, unit = "<b>", text = Evil } } });
        var page = await LogInAsync(_scene.Key);

        foreach (var path in new[] { "/", "/devices", "/devices/edge-1", "/devices?filter=" + Uri.EscapeDataString("a=\"><script>"), "/audit" })
        {
            await page.GotoAsync(path);
            Assert.Equal(0, await page.Locator("main img, main script, main b").CountAsync());
        }
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task Keys_AreMade_ShownOnce_AndTakenBack_WithTheirSessions()
    {
        var page = await LogInAsync(_scene.Key);
        await page.GotoAsync("/access");
        await page.GetByLabel("Whose").FillAsync("ben");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make a key" }).ClickAsync();
        var key = await page.Locator("#secret").InnerTextAsync();
        Assert.StartsWith("apk_", key, StringComparison.Ordinal);

        var other = await LogInAsync(key);
        await other.GotoAsync("/access");
        await Assertions.Expect(other.GetByText("an administrator's")).ToBeVisibleAsync();
        await other.GotoAsync("/rollouts");
        await Assertions.Expect(other.GetByRole(AriaRole.Link, new() { Name = "New rollout" })).ToHaveCountAsync(0);

        await page.GotoAsync("/access");
        Assert.DoesNotContain(key, await page.ContentAsync(), StringComparison.Ordinal);
        await page.GetByRole(AriaRole.Row).Filter(new() { HasText = "ben" }).GetByRole(AriaRole.Button).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "ben" })).ToHaveCountAsync(0);
        await other.GotoAsync("/devices");
        await Assertions.Expect(other.GetByRole(AriaRole.Heading, new() { Name = "Log in" })).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).ClickAsync();
        await page.GotoAsync("/");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Log in" })).ToBeVisibleAsync();
        await page.GetByLabel("Key").FillAsync(key);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("This key does not hold.");
    }

    [Fact]
    public async Task AForm_CountsOnlyFromAPageOfThisServer_OfSomebodyWhoMay_InATimeOfTheSession()
    {
        await MakeFleetAsync(1);
        var viewer = await CookieAsync(await _scene.KeyAsync("vera", Role.Viewer));
        var admin = await CookieAsync(_scene.Key);
        var here = _scene.Address.ToString().TrimEnd('/');

        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync("/devices/edge-00/labels", admin, null));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync("/devices/edge-00/labels", admin, "https://elsewhere.example"));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync("/devices/edge-00/labels", viewer, here));
        Assert.Equal("/login", await SendForLocationAsync("/devices/edge-00/labels", null, here));
        Assert.Null((string?)(await _scene.GetAsync("/api/v1/devices/edge-00"))["attributes"]!["label.floor"]);
        Assert.Equal("/devices/edge-00", await SendForLocationAsync("/devices/edge-00/labels", admin, here));
        Assert.Equal("2", (string?)(await _scene.GetAsync("/api/v1/devices/edge-00"))["attributes"]!["label.floor"]);

        using (var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true })
        using (var http = new HttpClient(handler) { BaseAddress = _scene.Address, DefaultRequestHeaders = { { "Origin", here } } })
        using (var noForm = await http.PostAsync("/login", new StringContent("{}"), Token))
            Assert.Equal(HttpStatusCode.BadRequest, noForm.StatusCode);

        _time.Now += KeyAuthentication.Session + TimeSpan.FromMinutes(1);
        Assert.Equal("/login", await SendForLocationAsync("/devices/edge-00/labels", admin, here));
    }

    [Fact]
    public async Task EveryPage_FitsEveryScreen_ByDayAndByNight()
    {
        await MakeFleetAsync(12);
        var release = await _scene.UploadAsync("edge", "1.1", [1]);
        await _scene.PostAsync("/api/v1/rollouts", new { name = "a rollout with a rather long name for a small screen", release, groups = new[] { "2" } });
        foreach (var (screen, width, scheme) in new[] { ("wide", 1280, ColorScheme.Light), ("phone", 390, ColorScheme.Dark) })
        {
            var page = await LogInAsync(_scene.Key, new() { ViewportSize = new() { Width = width, Height = 900 }, ColorScheme = scheme });
            foreach (var (path, name) in new[] { ("/", "overview"), ("/devices", "devices"), ("/devices/edge-03", "device"), ("/rollouts", "rollouts"), ("/rollouts/new", "new-rollout"), ("/rollouts/1", "rollout"), ("/releases", "releases"), ("/audit", "audit"), ("/access", "access") })
            {
                await page.GotoAsync(path);
                Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"), $"{name} is wider than a {screen}");
                if (name == "overview" && screen == "wide") await Chromium.PictureAsync(page, "fleet-overview");
            }
        }
        Assert.Empty(_complaints);
    }

    /// <summary>Devices in Berlin that have asked and told how they are; every fourth is not well.</summary>
    private async Task MakeFleetAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var (id, bad) = ($"edge-{i:00}", i % 4 == 3);
            var device = _scene.Device(id);
            await device.PollAsync();
            await device.DescribeAsync(new { version = i % 3 == 0 ? "0.9" : "1.0", board = "vm-x86_64" });
            await device.SendReportAsync("b-1", new { at = Noon, health = bad ? "unhealthy" : "healthy", reasons = bad ? ["web: cannot reach the till"] : Array.Empty<string>(), log = bad ? [new { at = Noon, priority = 3, unit = "web", text = "cannot reach the till" }] : Array.Empty<object>() });
            using var labelled = await _scene.Admin.PutAsync($"/api/v1/devices/{id}/labels/site", new StringContent("""{"value":"berlin"}""", System.Text.Encoding.UTF8, "application/json"), Token);
            Assert.Equal(HttpStatusCode.OK, labelled.StatusCode);
        }
        await _scene.Service<SeenDevices>().FlushAsync(Token);
    }

    private async Task<IPage> LogInAsync(string key, BrowserNewContextOptions? options = null)
    {
        options ??= new();
        (options.BaseURL, options.IgnoreHTTPSErrors) = (_scene.Address.ToString(), true);
        var page = await (await _browser.NewContextAsync(options)).NewPageAsync();
        page.SetDefaultTimeout(Chromium.Patience);
        page.Console += (_, message) => _complaints.Add(message.Text);
        page.Dialog += (_, dialog) =>
        {
            _complaints.Add(dialog.Message);
            _ = dialog.DismissAsync();
        };
        await page.GotoAsync("/");
        await page.GetByLabel("Key").FillAsync(key);
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Overview" })).ToBeVisibleAsync();
        return page;
    }

    private async Task<string> CookieAsync(string key)
    {
        using var answer = await PostAsync("/login", null, _scene.Address.ToString().TrimEnd('/'), ("key", key));
        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        Assert.Matches("^__Host-fleet=.*; path=/; secure; samesite=strict; httponly$", cookie);
        return cookie.Split(';')[0];
    }

    private async Task<HttpStatusCode> SendAsync(string path, string? cookie, string? origin)
    {
        using var answer = await PostAsync(path, cookie, origin, ("label", "floor"), ("value", "2"));
        return answer.StatusCode;
    }

    private async Task<string?> SendForLocationAsync(string path, string? cookie, string? origin)
    {
        using var answer = await PostAsync(path, cookie, origin, ("label", "floor"), ("value", "2"));
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        return answer.Headers.Location?.ToString();
    }

    private async Task<HttpResponseMessage> PostAsync(string path, string? cookie, string? origin, params (string Name, string Value)[] fields)
    {
        using var handler = new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false, ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        using var http = new HttpClient(handler) { BaseAddress = _scene.Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))) };
        if (cookie is not null) request.Headers.Add("Cookie", cookie);
        if (origin is not null) request.Headers.Add("Origin", origin);
        return await http.SendAsync(request, Token);
    }
}
