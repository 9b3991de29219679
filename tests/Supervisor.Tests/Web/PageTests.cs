using System.Text.RegularExpressions;
using Appliance.ImageBuilder.Publish;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Microsoft.Playwright;
using Supervisor.Tests.Journal;
using Supervisor.Tests.Worker;
using UpdateClient.Tests.Sources;
using UpdateClient.Tests.Workloads;
using UpdateServer.Tests;

namespace Supervisor.Tests.Web;

/// <summary>
/// The pages in a real browser: Debian's Chromium, the real daemon, engine and worker, a disk image for slots. With
/// APPLIANCE_SCREENSHOTS=1 the pictures of docs/images are taken anew.
/// </summary>
public sealed class PageTests : IAsyncLifetime
{
    private readonly List<string> _complaints = [];
    private readonly JournalFolder _journal = new();
    private WorkerScene _worker = null!;
    private DaemonScene _scene = null!;
    private FakeLogin _login = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _worker = new WorkerScene(other: "0.9");
        _scene = await DaemonScene.PrepareAsync();
        _worker.BusAddress = _scene.BusAddress;
        _login = new FakeLogin(_scene.BusAddress);
        await _login.StartAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        _scene.JournalFolder = _journal.With(JournalFolder.ThisBoot, 6, "systemd", "Started edge.service - The product on this device.").With(JournalFolder.ThisBoot, 4, "appliance-supervisor", "Found: The check network fails (check-fails): without a default route").With(JournalFolder.ThisBoot, 3, "edge", "cannot reach the till").Write().Path;
        await _scene.StartWithSlotsAsync();
        _playwright = await Playwright.CreateAsync();
        _browser = await Chromium.LaunchAsync(_playwright);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _login.DisposeAsync();
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task FromTheSetupCode_ToAnInstalledVersion_ThroughARestart()
    {
        await _worker.PublishAsync();
        var page = await OpenAsync(new());
        await page.GotoAsync("/updates");
        await page.GetByLabel("Setup code").FillAsync(_scene.Service<OwnerAccess>().SetupCode!);
        await page.Keyboard.PressAsync("Enter");
        await page.GetByLabel("New password", new() { Exact = true }).FillAsync(Browser.Password);
        await page.GetByLabel("New password again").FillAsync(Browser.Password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Set the password" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Nothing is under way" })).ToBeVisibleAsync();

        // Without a reload: what the engine does is on the page while it does it.
        _worker.Hook("pre-install.d", "sleep 600");
        _scene.Service<UpdateEngine>().Install(new InstallRequest { Source = _worker.Publisher.Repository, By = "a test", Reboot = false });
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Installing version 1.1" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Assertions.Expect(page.GetByText("Cancelled: stopped")).ToBeVisibleAsync();
        _worker.Hook("pre-install.d", "true");
        _scene.Service<UpdateEngine>().Install(new InstallRequest { Source = _worker.Publisher.Repository, By = "a test", Reboot = false });
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Version 1.1 waits for the restart" })).ToBeVisibleAsync();

        await _scene.StopAsync();
        await Assertions.Expect(page.GetByText("the device may be restarting")).ToBeVisibleAsync();
        await _scene.StartAsync();
        await Assertions.Expect(page.GetByText("live", new() { Exact = true })).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Version 1.1 waits for the restart" })).ToBeVisibleAsync();
        Assert.DoesNotContain(_complaints, complaint => complaint.Contains("Content Security Policy", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task ABundle_IsSentFromTheBrowser()
    {
        var bundle = await _worker.ExportAsync();
        var page = await OwnAsync(new());
        await page.GetByLabel("Bundle, signed by the publisher").SetInputFilesAsync(bundle);

        await page.Locator("#upload-reboot").SelectOptionAsync("when I say so");
        await page.GetByRole(AriaRole.Button, new() { Name = "Send and install" }).ClickAsync();

        await Assertions.Expect(page.Locator("#upload-state")).ToHaveTextAsync("version 1.1 is in slot b and waits for the restart");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Version 1.1 waits for the restart" })).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("It restarts when you say so.")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task WhatIsWritten_IsCounted_WhileItIs()
    {
        await _worker.PublishAsync();
        _worker.Write("usr/lib/appliance/update.json", """{ "bytesPerSecond": 400000 }""");
        await using var server = new FaultyServer(_worker.Publisher.Repository);
        server.Spoil = _ => server.Sent > 1_000_000 ? new FaultyServer.Fault { Stall = true } : null; // after the root it stays, for as long as the page takes
        var page = await OwnAsync(new());

        _scene.Service<UpdateEngine>().Install(new InstallRequest { Source = server.Address.ToString(), By = "a test", Reboot = false });

        await Assertions.Expect(page.Locator("#live progress[max]")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText(new Regex(@"^writing · 3 MiB of [0-9.]+ MiB · [0-9.]+ MiB fetched · [0-9.]+ [KM]iB/s · [0-9]+ (s|min) left$"))).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Assertions.Expect(page.GetByText("Cancelled: stopped")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task AFleet_IsJoined_AndLeft()
    {
        await using var server = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        var token = (string)(await server.PostAsync("/api/v1/enrolment-tokens", new { name = "bench", uses = 1 }))["value"]!;
        var page = await OwnAsync(new());
        await page.GotoAsync("/fleet");
        await Assertions.Expect(page.GetByText("not joined")).ToBeVisibleAsync();
        await page.GetByLabel("Enrolment token of the update server").FillAsync(token);
        await page.GetByLabel("Server", new() { Exact = true }).FillAsync(server.Address.ToString());
        await page.GetByRole(AriaRole.Button, new() { Name = "Join" }).ClickAsync();
        await Assertions.Expect(page.GetByText("connected", new() { Exact = true })).ToBeVisibleAsync();

        var device = _scene.Service<FleetAgent>().Status.Device;
        await Eventually.IsTrueAsync(async () => (string?)(await server.GetAsync($"/api/v1/devices/{device}"))["attributes"]!["version"] == "1.0", "what the device says of itself");
        await server.AssignAsync(device, await server.UploadAsync("till", "3", [1, 2, 3]), confirm: true);
        await Assertions.Expect(page.GetByText("till 3 waits for your word")).ToBeVisibleAsync(); // by itself
        await page.GetByRole(AriaRole.Button, new() { Name = "Not now" }).ClickAsync();

        await page.GetByText("Leave the fleet").ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Leave", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByText("not joined")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task ACredential_IsChanged_AndThePageGoesOn()
    {
        var page = await OwnAsync(new());
        await page.GotoAsync("/credentials");
        var before = await page.Locator("article", new() { HasText = "Certificate of the status page" }).Locator("code").InnerTextAsync();
        await page.Locator("#rotate-page-certificate").ClickAsync();

        // By itself, over a connection with the new one.
        await Assertions.Expect(page.GetByText("page-certificate: changed")).ToBeVisibleAsync();
        var card = page.Locator("article", new() { HasText = "Certificate of the status page" });
        await Assertions.Expect(card.Locator("code")).Not.ToHaveTextAsync(before);
        await Assertions.Expect(card.GetByText("at hand until")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("Password of the owner")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task AWorkload_FromItsBundle_ToItsEnd()
    {
        await PublishWorkloadAsync("1.0");
        var bundle = _worker.Publisher["shop.bundle"];
        await new OfflineExport(_worker.Publisher.Repository, "stable", null, _worker.Publisher.Time, "shop").WriteAsync(bundle, null, TestContext.Current.CancellationToken);
        var page = await OwnAsync(new());
        await page.GotoAsync("/workloads");
        await Assertions.Expect(page.GetByText("There is no workload here.")).ToBeVisibleAsync();
        await page.GetByLabel("Bundle, signed by the publisher").SetInputFilesAsync(bundle);
        await page.GetByRole(AriaRole.Button, new() { Name = "Send and apply" }).ClickAsync();
        await Assertions.Expect(page.Locator("#upload-state")).ToHaveTextAsync("shop runs version 1.0");

        // Without a reload: a release that fails, with its reason, and one that does not.
        await PublishWorkloadAsync("1.1");
        _worker.Engine.Readiness = version => version == "1.1" ? Readiness.Failed("it crashes") : Readiness.Ready("it is given");
        _scene.Service<WorkloadUpdates>().Apply(new WorkloadRequest { Id = "shop", Source = _worker.Publisher.Repository, By = "a test" });
        await Assertions.Expect(page.GetByText("Version 1.1 of shop was not kept: ConfigMap words: it crashes")).ToBeVisibleAsync();
        await PublishWorkloadAsync("1.2");
        _scene.Service<WorkloadUpdates>().Apply(new WorkloadRequest { Id = "shop", Source = _worker.Publisher.Repository, By = "a test" });
        await page.GetByRole(AriaRole.Button, new() { Name = "Go back to 1.0" }).ClickAsync();
        await Assertions.Expect(page.GetByText("shop runs version 1.0").First).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Objects and output" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row, new() { Name = "ConfigMap words ready it is given" })).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("log of 1.0")).ToBeVisibleAsync();

        await page.GotoAsync("/workloads");
        await page.GetByText("Remove", new() { Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove shop" }).ClickAsync();
        await Assertions.Expect(page.GetByText("There is no workload here.")).ToBeVisibleAsync();
        Assert.Empty(_worker.Engine.Objects);
    }

    private async Task PublishWorkloadAsync(string version) => await _worker.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_worker.Publisher, version, layerSize: 64 << 10));

    [Fact]
    public async Task GoingBack_GivesTheRunningVersionUp_AndRestarts()
    {
        var page = await OwnAsync(new());

        await page.GetByRole(AriaRole.Button, new() { Name = "Go back to the other version" }).ClickAsync();

        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Restarting" })).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("the owner from 127.0.0.1 went back from it").First).ToBeVisibleAsync();
        Assert.Single(_login.Restarts);
    }

    [Fact]
    public async Task TheJournal_IsFollowed()
    {
        var page = await OwnAsync(new());
        await page.GotoAsync("/logs");
        await Assertions.Expect(page.GetByText("cannot reach the till")).ToBeVisibleAsync();

        _journal.With(JournalFolder.ThisBoot, 5, "edge", "the till is back").Write();

        await Assertions.Expect(page.GetByText("the till is back")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task WhatIsFolded_StaysFolded()
    {
        await _worker.PublishAsync("Faster and smaller.");
        var page = await OwnAsync(new());
        _scene.Service<UpdateEngine>().Check(new InstallRequest { Source = _worker.Publisher.Repository });
        await page.GetByText("What is new in version 1.1").ClickAsync();
        await Assertions.Expect(page.GetByText("Faster and smaller.")).ToBeHiddenAsync();

        _scene.Service<UpdateEngine>().NoteRefused("a test", "only a test");

        await Assertions.Expect(page.GetByText("by a test: only a test")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("Faster and smaller.")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task WhatAPersonTypes_AndWhatHasTheFocus_OutlivesEveryChange()
    {
        var page = await OwnAsync(new());
        await page.GetByLabel("Version", new() { Exact = true }).FillAsync("1.1");
        await page.GetByRole(AriaRole.Button, new() { Name = "Look for a version" }).FocusAsync();

        _scene.Service<UpdateEngine>().NoteRefused("a test", "only a test");

        await Assertions.Expect(page.GetByText("by a test: only a test")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Look for a version" })).ToBeFocusedAsync();
        await Assertions.Expect(page.GetByLabel("Version", new() { Exact = true })).ToHaveValueAsync("1.1");
    }

    [Fact]
    public async Task WithoutScripts_TheOverviewIsComplete_AndTheOwnerCanLogIn()
    {
        await _scene.HealthBecomesAsync("healthy");
        var page = await OpenAsync(new() { JavaScriptEnabled = false });
        await page.GotoAsync("/");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Healthy" })).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Log in" }).ClickAsync();
        await page.GetByLabel("Setup code").FillAsync(_scene.Service<OwnerAccess>().SetupCode!);
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();

        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Make this device yours" })).ToBeVisibleAsync();
    }

    /// <summary>Everything that an overview loads, before anything is compressed.</summary>
    [Fact]
    public async Task TheOverview_IsSmall_AndAsksNobodyElse()
    {
        var bytes = 0L;
        var hosts = new HashSet<string>();
        var page = await OpenAsync(new());
        var read = new List<Task>();
        page.Response += (_, response) =>
        {
            hosts.Add(new Uri(response.Url).Authority);
            if (!response.Url.EndsWith("/events", StringComparison.Ordinal)) read.Add(AddAsync(response));
        };
        await page.GotoAsync("/");
        await Assertions.Expect(page.GetByText("live", new() { Exact = true })).ToBeVisibleAsync();
        await Task.WhenAll(read);

        Assert.Equal([_scene.Http.BaseAddress!.Authority], hosts);
        Assert.InRange(bytes, 1, 200 << 10);

        async Task AddAsync(IResponse response) => Interlocked.Add(ref bytes, (await response.BodyAsync()).Length);
    }

    [Theory]
    [InlineData("phone", 390, 844)]
    [InlineData("desktop", 1280, 900)]
    public async Task Pages_FitTheScreen(string screen, int width, int height)
    {
        await _scene.HealthBecomesAsync("healthy");
        await PublishWorkloadAsync("1.0");
        await _scene.Service<WorkloadUpdates>().Apply(new WorkloadRequest { Id = "shop", Source = _worker.Publisher.Repository }).Work;
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var page = await OwnAsync(new() { ViewportSize = new() { Width = width, Height = height }, ColorScheme = scheme });
            foreach (var (path, name) in new[] { ("/", "overview"), ("/health", "health"), ("/updates", "updates"), ("/workloads", "workloads"), ("/workloads/one?id=shop", "workload"), ("/logs", "logs"), ("/network", "network"), ("/fleet", "fleet-member"), ("/credentials", "credentials"), ("/password", "password") })
            {
                await page.GotoAsync(path);
                await FitsAsync(page, name);
            }
            await page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).ClickAsync();
            await page.GotoAsync("/login");
            await FitsAsync(page, "log-in");

            async Task FitsAsync(IPage page, string name)
            {
                Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"), $"{name} is wider than a {screen}");
                await Chromium.PictureAsync(page, $"{name}-{screen}-{scheme.ToString().ToLowerInvariant()}");
            }
        }
    }

    private async Task<IPage> OpenAsync(BrowserNewContextOptions options)
    {
        options.BaseURL = _scene.Http.BaseAddress!.ToString();
        options.IgnoreHTTPSErrors = true;
        var page = await (await _browser.NewContextAsync(options)).NewPageAsync();
        page.SetDefaultTimeout(Chromium.Patience);
        page.Console += (_, message) => _complaints.Add(message.Text);
        return page;
    }

    /// <summary>The page about updates, for the owner.</summary>
    private async Task<IPage> OwnAsync(BrowserNewContextOptions options)
    {
        if (_scene.Service<OwnerAccess>().SetupCode is { } code)
        {
            using var browser = new Browser(_scene.Http.BaseAddress!);
            await browser.OwnAsync(code);
        }
        var page = await OpenAsync(options);
        await page.GotoAsync("/login");
        await page.GetByLabel("Password").FillAsync(Browser.Password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Install", Exact = true })).ToBeVisibleAsync();
        return page;
    }
}
