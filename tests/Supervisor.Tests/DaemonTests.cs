using System.Net;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;

namespace Supervisor.Tests;

/// <summary>The whole daemon against a real bus, a real TLS socket and files of a recorded device.</summary>
public sealed class DaemonTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync() => _scene = await DaemonScene.PrepareAsync();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Fact]
    public async Task BusAndPage_TellTheSame()
    {
        await _scene.StartAsync();
        await _scene.HealthBecomesAsync("healthy");

        Assert.Equal("edge", await _scene.PropertyAsync("Id"));
        Assert.Equal("trial", await _scene.PropertyAsync("BootState"));
        Assert.Equal(2, await _scene.PropertyAsync("TriesLeft"));
        Assert.Equal("healthy", await _scene.PropertyAsync("Health"));
        var status = await _scene.GetAsync("/api/v1/status");
        Assert.Equal("a", (string?)status["slot"]);
        Assert.Equal(2, (int?)status["triesLeft"]);
        var page = await _scene.Http.GetStringAsync("/");
        Assert.Contains("<h2>Healthy</h2>", page, StringComparison.Ordinal);
        Assert.Contains("edge 1.0", page, StringComparison.Ordinal);
        Assert.Equal("ok\n", await _scene.Http.GetStringAsync("/healthz"));
        Assert.StartsWith("edge 1.0\nStatus page: ", await File.ReadAllTextAsync(_scene.File("50-appliance.issue"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFailedUnit_TurnsTheVerdict_AndWaitHealthySaysWhy()
    {
        await _scene.StartAsync();
        await _scene.HealthBecomesAsync("healthy");
        Assert.Equal(0, await HealthGate.WaitAsync(_scene.BusAddress, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30), TextWriter.Null));

        _scene.Systemd.Units["broken.service"] = "failed";
        await _scene.Systemd.AnnounceChangeAsync();
        await _scene.HealthBecomesAsync("unhealthy");

        var output = new StringWriter();
        Assert.Equal(1, await HealthGate.WaitAsync(_scene.BusAddress, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30), output));
        Assert.Contains("broken.service", output.ToString(), StringComparison.Ordinal);
        using var healthz = await _scene.Http.GetAsync("/healthz", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, healthz.StatusCode);
    }

    [Fact]
    public async Task TheGatesOwnJobs_AreNotWaitedFor_OthersAre()
    {
        _scene.Systemd.Jobs.AddRange(["appliance-health.service", "boot-complete.target", "slow.service"]);
        await _scene.StartAsync();
        await Eventually.IsTrueAsync(async () => (await _scene.GetAsync("/api/v1/status"))["healthReasons"]!.ToJsonString().Contains("still starting: slow.service", StringComparison.Ordinal), "the job that is waited for");

        _scene.Systemd.Jobs.Remove("slow.service");

        await _scene.HealthBecomesAsync("healthy");
    }

    /// <summary>Somebody kept it, and the daemon was restarted since: the boot loader's count is of before.</summary>
    [Fact]
    public async Task AVersionThatWasKept_IsGood_AlsoAfterARestartOfTheDaemon()
    {
        _scene.Device.Write("run/appliance/kept", "");
        await _scene.StartAsync();

        Assert.Equal("good", (string?)(await _scene.GetAsync("/api/v1/status"))["bootState"]);
    }

    [Fact]
    public async Task TheBlessing_MakesTheBootGood()
    {
        await _scene.StartAsync();
        _scene.Systemd.Units["systemd-bless-boot.service"] = "active";
        await _scene.Systemd.AnnounceChangeAsync("systemd-bless-boot.service");

        await Eventually.IsTrueAsync(async () => (string?)(await _scene.GetAsync("/api/v1/status"))["bootState"] == "good", "a good boot");
    }

    [Theory]
    [InlineData("POST", "/api/v1/status", HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", "/", HttpStatusCode.MethodNotAllowed)]
    [InlineData("HEAD", "/", HttpStatusCode.OK)]
    [InlineData("GET", "/nothing", HttpStatusCode.NotFound)]
    [InlineData("GET", "/../etc/passwd", HttpStatusCode.NotFound)]
    public async Task Requests_AreAnsweredReadOnly_WithStrictHeaders(string method, string path, HttpStatusCode expected)
    {
        await _scene.StartAsync();
        using var response = await _scene.Http.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), TestContext.Current.CancellationToken);

        Assert.Equal(expected, response.StatusCode);
        Assert.StartsWith("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.False(response.Headers.Contains("Server"));
    }

    /// <summary>One that crashes again and again never says that it is unhealthy.</summary>
    [Fact]
    public async Task WaitHealthy_WithASupervisorThatEndsAgainAndAgain_GivesUp()
    {
        using var bus = new PrivateBus();
        var output = new StringWriter();
        var waiting = HealthGate.WaitAsync(bus.Address, TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), output);

        while (!waiting.IsCompleted)
        {
            await using var supervisor = new BusConnection(bus.Address);
            await supervisor.RequestNameAsync(SupervisorObject.Name);
        }

        Assert.Equal(1, await waiting);
        Assert.Contains("times without a verdict", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WaitHealthy_WithoutASupervisor_GivesUpInTime()
    {
        using var lonely = new PrivateBus();

        var output = new StringWriter();
        Assert.Equal(1, await HealthGate.WaitAsync(lonely.Address, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(30), output));
        Assert.Equal("no supervisor for 1 s", output.ToString().Trim());
        Assert.Equal(1, await HealthGate.WaitAsync("unix:path=/nowhere", TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), TextWriter.Null));
    }
}
