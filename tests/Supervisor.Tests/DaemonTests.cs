using System.Net;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Supervisor.Tests;

/// <summary>The whole daemon against a real bus, a real TLS socket and files of a recorded device.</summary>
public sealed class DaemonTests : IAsyncLifetime
{
    private readonly PrivateBus _bus = new();
    private readonly DeviceTree _device = new();
    private readonly DirectoryInfo _state = Directory.CreateTempSubdirectory("state");
    private BusConnection _systemdBus = null!, _daemonBus = null!, _client = null!;
    private FakeSystemd _systemd = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        (_systemdBus, _daemonBus, _client) = (new BusConnection(_bus.Address), new BusConnection(_bus.Address), new BusConnection(_bus.Address));
        _systemd = new FakeSystemd(_systemdBus);
        await _systemd.StartAsync();
        var options = new SupervisorOptions { BusAddress = _bus.Address, Root = _device.Root, StateFolder = _state.FullName, IssueFolder = _state.FullName, Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        _app = Daemon.Build(options, _daemonBus);
        await _app.StartAsync(TestContext.Current.CancellationToken);
        var address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate!.Subject.Contains("edge-7", StringComparison.Ordinal) };
        _http = new HttpClient(handler) { BaseAddress = new Uri(address) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        foreach (var bus in new[] { _client, _daemonBus, _systemdBus }) await bus.DisposeAsync();
        _bus.Dispose();
        _device.Dispose();
        _state.Delete(recursive: true);
    }

    private async Task<JsonNode> StatusAsync() => JsonNode.Parse(await _http.GetStringAsync("/api/v1/status"))!;

    private Task HealthBecomesAsync(string state) => Eventually.IsTrueAsync(async () => (string?)(await StatusAsync())["health"] == state, $"health {state}");

    private async Task<object> PropertyAsync(string name) =>
        ((Variant)(await _client.CallAsync(SupervisorObject.Name, SupervisorObject.Path, "org.freedesktop.DBus.Properties", "Get", "ss", SupervisorObject.Name, name))[0]).Value;

    [Fact]
    public async Task BusAndPage_TellTheSame()
    {
        await HealthBecomesAsync("healthy");

        Assert.Equal("edge", await PropertyAsync("Id"));
        Assert.Equal("trial", await PropertyAsync("BootState"));
        Assert.Equal(2, await PropertyAsync("TriesLeft"));
        Assert.Equal("healthy", await PropertyAsync("Health"));
        var status = await StatusAsync();
        Assert.Equal("a", (string?)status["slot"]);
        Assert.Equal(2, (int?)status["triesLeft"]);
        var page = await _http.GetStringAsync("/");
        Assert.Contains("<h2>Healthy</h2>", page, StringComparison.Ordinal);
        Assert.Contains("edge 1.0", page, StringComparison.Ordinal);
        Assert.Equal("ok\n", await _http.GetStringAsync("/healthz"));
        Assert.StartsWith("edge 1.0\nStatus page: ", await File.ReadAllTextAsync(Path.Combine(_state.FullName, "50-appliance.issue"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFailedUnit_TurnsTheVerdict_AndWaitHealthySaysWhy()
    {
        await HealthBecomesAsync("healthy");
        Assert.Equal(0, await HealthGate.WaitAsync(_bus.Address, TimeSpan.FromSeconds(30), TextWriter.Null));

        _systemd.Units["broken.service"] = "failed";
        await _systemd.AnnounceChangeAsync();
        await HealthBecomesAsync("unhealthy");

        var output = new StringWriter();
        Assert.Equal(1, await HealthGate.WaitAsync(_bus.Address, TimeSpan.FromSeconds(30), output));
        Assert.Contains("broken.service", output.ToString(), StringComparison.Ordinal);
        using var healthz = await _http.GetAsync("/healthz", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, healthz.StatusCode);
    }

    [Fact]
    public async Task TheGatesOwnJobs_AreNotWaitedFor_OthersAre()
    {
        _systemd.Jobs.AddRange(["appliance-health.service", "boot-complete.target", "slow.service"]);
        await Eventually.IsTrueAsync(async () => (await StatusAsync())["healthReasons"]!.ToJsonString().Contains("still starting: slow.service", StringComparison.Ordinal), "the job that is waited for");

        _systemd.Jobs.Remove("slow.service");

        await HealthBecomesAsync("healthy");
    }

    [Fact]
    public async Task TheBlessing_MakesTheBootGood()
    {
        _systemd.Units["systemd-bless-boot.service"] = "active";
        await _systemd.AnnounceChangeAsync("systemd-bless-boot.service");

        await Eventually.IsTrueAsync(async () => (string?)(await StatusAsync())["bootState"] == "good", "a good boot");
    }

    [Theory]
    [InlineData("POST", "/api/v1/status", HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", "/", HttpStatusCode.MethodNotAllowed)]
    [InlineData("HEAD", "/", HttpStatusCode.OK)]
    [InlineData("GET", "/nothing", HttpStatusCode.NotFound)]
    [InlineData("GET", "/../etc/passwd", HttpStatusCode.NotFound)]
    public async Task Requests_AreAnsweredReadOnly_WithStrictHeaders(string method, string path, HttpStatusCode expected)
    {
        using var response = await _http.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), TestContext.Current.CancellationToken);

        Assert.Equal(expected, response.StatusCode);
        Assert.StartsWith("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.False(response.Headers.Contains("Server"));
    }

    [Fact]
    public async Task WaitHealthy_WithoutASupervisor_GivesUpInTime()
    {
        using var lonely = new PrivateBus();

        Assert.Equal(1, await HealthGate.WaitAsync(lonely.Address, TimeSpan.FromSeconds(1), TextWriter.Null));
        Assert.Equal(1, await HealthGate.WaitAsync("unix:path=/nowhere", TimeSpan.FromSeconds(1), TextWriter.Null));
    }
}
