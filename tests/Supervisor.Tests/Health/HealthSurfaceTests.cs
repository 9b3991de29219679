using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Control;
using Appliance.Supervisor.Service;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Health;

/// <summary>Every kind of check on a whole daemon, and what bus, page, JSON and command line say of it.</summary>
public sealed class HealthSurfaceTests : IAsyncLifetime
{
    private readonly TcpListener _port = new(IPAddress.Loopback, 0);
    private readonly WorkerScene _worker = new();
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _port.Start();
        _scene = await DaemonScene.PrepareAsync($$"""
            stabilisation: 0s
            checks:
              - { name: web-unit, unit: web.service }
              - { name: web-port, tcp: "127.0.0.1:{{((IPEndPoint)_port.LocalEndpoint).Port}}" }
              - { name: own-program, command: [/bin/sh, -c, "echo all is well"] }
              - { name: room, disk: { path: /, free: 1B } }
              - { name: clock, timeSync: true }
              - { name: server, updateServer: true }
              - { name: node-ready, node: true }
              - { name: containers, workloads: true }
              - { name: silent, http: "http://127.0.0.1:1/", severity: warn }
            """);
        _scene.WorkerSocket = _worker.SocketPath; // it says what workloads there are: none
        _scene.Device.Write("run/systemd/timesync/synchronized", "");
        _scene.Device.Write("run/systemd/generator/app.service", "[Unit]\nSourcePath=/usr/share/containers/systemd/app.container\n");
        (_scene.Systemd.Units["web.service"], _scene.Systemd.Units["app.service"]) = ("active", "active");
        await _scene.StartAsync();
        await _scene.HealthBecomesAsync("healthy");
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
        _port.Dispose();
    }

    private async Task<JsonNode> CheckAsync(string name) => (await _scene.GetAsync("/api/v1/health"))["checks"]!.AsArray().Single(check => (string?)check!["name"] == name)!;

    private Task BecomesAsync(string name, string state) => Eventually.IsTrueAsync(async () => (string?)(await CheckAsync(name))["state"] == state, $"{name} {state}");

    [Theory]
    [InlineData("web-unit", "unit", "passes", "web.service is active")]
    [InlineData("web-port", "tcp", "passes", "accepts connections")]
    [InlineData("own-program", "command", "passes", "all is well")]
    [InlineData("room", "disk", "passes", "free at /")]
    [InlineData("clock", "timeSync", "passes", "the clock is synchronised")]
    [InlineData("server", "updateServer", "fails", "names no update repository")]
    [InlineData("node-ready", "node", "passes", "podman has no service")]
    [InlineData("containers", "workloads", "passes", "1 of 1 container units active")]
    [InlineData("silent", "http", "fails", "refused")]
    [InlineData("systemd", "systemd", "passes", "all units started")]
    public async Task TheJson_HasEveryKind(string name, string kind, string state, string message)
    {
        await BecomesAsync(name, state);

        var check = await CheckAsync(name);

        Assert.Equal(kind, (string?)check["kind"]);
        Assert.Contains(message, (string?)check["message"], StringComparison.Ordinal);
        Assert.Equal(name is not ("server" or "silent" or "clock"), (bool)check["gate"]!);
        Assert.Equal(state, (string?)check["history"]!.AsArray()[^1]!["state"]);
        Assert.True(DateTimeOffset.UtcNow - (DateTimeOffset)check["since"]! < TimeSpan.FromMinutes(5));
    }

    [Fact]
    public async Task AUnitThatFails_IsSeenBySignal_LongBeforeItsInterval_AndToldByAll()
    {
        var told = new TaskCompletionSource();
        await _scene.Client.SubscribeAsync($"type='signal',path='{SupervisorObject.Path}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
            signal => { if (((Dictionary<object, object>)signal.Arguments[1]).ContainsKey("Checks")) told.TrySetResult(); });

        _scene.Systemd.Units["web.service"] = "inactive";
        await _scene.Systemd.AnnounceChangeAsync("web.service");

        await told.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await BecomesAsync("web-unit", "fails");
        var json = await _scene.GetAsync("/api/v1/health");
        Assert.Equal("unhealthy", (string?)json["verdict"]);
        Assert.Contains("web-unit: web.service is inactive", json["reasons"]!.AsArray().Select(reason => (string)reason!));
        Assert.Equal(["passes", "fails"], (await CheckAsync("web-unit"))["history"]!.AsArray().Select(change => (string)change!["state"]!).TakeLast(2));

        var row = ((List<object>)await _scene.PropertyAsync("Checks")).Cast<object[]>().Single(fields => (string)fields[0] == "web-unit");
        Assert.Equal((true, "fails", "web.service is inactive"), ((bool)row[1], (string)row[2], (string)row[3]));
        Assert.True((ulong)row[4] > 0);

        var page = await _scene.Http.GetStringAsync("/");
        Assert.Contains("<th scope=\"row\">web-unit <small>unit</small></th><td><span class=\"state bad\">fails</span></td><td>web.service is inactive <small>since ", page, StringComparison.Ordinal);
        Assert.Contains("<span class=\"state warn\">warns</span>", page, StringComparison.Ordinal);
        var view = await _scene.Http.GetStringAsync("/health/live");
        Assert.Contains("<h3>web-unit</h3><dl><div><dt>State</dt><dd><span class=\"state bad\">fails</span> since ", view, StringComparison.Ordinal);
        Assert.Contains("<dd>the device is not healthy</dd>", view, StringComparison.Ordinal);
        Assert.Matches("<details id=\"before-web-unit\"><summary>Before [^<]+</summary><ol class=\"history\"><li><time [^>]+>[^<]+</time> passes: web.service is active</li>", view);
        Assert.Contains(view.Trim(), await _scene.Http.GetStringAsync("/health"), StringComparison.Ordinal);

        var state = await new SupervisorClient(_scene.Client).ReadAsync();
        var (plain, full) = (new StringWriter(), new StringWriter());
        StatusText.WriteHealth(state, history: false, plain);
        StatusText.WriteHealth(state, history: true, full);
        Assert.Matches("(?m)^unhealthy\n  web-unit: web.service is inactive\n(  .*\n)*Checks:\n", plain.ToString());
        Assert.Matches("(?m)^  web-unit +gate  fails    [0-9-]+ [0-9:]+ UTC  web.service is inactive$", plain.ToString());
        Assert.DoesNotContain("web.service is active", plain.ToString(), StringComparison.Ordinal);
        Assert.Matches("(?m)^ +passes   [0-9-]+ [0-9:]+ UTC  web.service is active$", full.ToString());
        var check = state["checks"]!.AsArray().Single(check => (string?)check!["name"] == "web-unit")!;
        Assert.Equal(("fails", "passes"), ((string?)check["state"], (string?)check["history"]!.AsArray()[^2]!["state"]));
    }

    [Fact]
    public async Task AWorkloadThatFails_IsSeenBySignal()
    {
        _scene.Systemd.Units["app.service"] = "failed";
        await _scene.Systemd.AnnounceChangeAsync("app.service");

        await Eventually.IsTrueAsync(async () => (string?)(await CheckAsync("containers"))["message"] == "failed: app.service", "the failed workload");
    }
}
