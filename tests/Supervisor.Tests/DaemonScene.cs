using System.Net;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Supervisor.Tests;

/// <summary>The whole daemon on a real bus, with a real TLS socket and files of a recorded device; started when the test has prepared them.</summary>
internal sealed class DaemonScene : IAsyncDisposable
{
    private readonly PrivateBus _bus = new();
    private readonly DirectoryInfo _state = Directory.CreateTempSubdirectory("state");
    private readonly List<BusConnection> _connections = [];
    private WebApplication? _app;
    private BusConnection? _own;
    private int _port;

    public DeviceTree Device { get; } = new();
    public FakeSystemd Systemd { get; private set; } = null!;
    public BusConnection Client { get; private set; } = null!;
    public HttpClient Http { get; private set; } = null!;
    public string BusAddress => _bus.Address;
    public string TrialPath => File("trial.json");

    /// <summary>The root worker's socket; without one nobody listens there.</summary>
    public string? WorkerSocket { get; set; }

    /// <summary>Folder of a journal; the machine's own without one.</summary>
    public string? JournalFolder { get; set; }

    /// <summary>Where the page listens; null for where the device's files say.</summary>
    public IPAddress? Listen { get; set; } = IPAddress.Loopback;

    public string File(string name) => Path.Combine(_state.FullName, name);

    /// <summary>A device on which no check waits for others to hold.</summary>
    public static async Task<DaemonScene> PrepareAsync(string declaration = "stabilisation: 0s\n")
    {
        var scene = new DaemonScene();
        scene.Device.Write("usr/lib/appliance/health.d/50-image.yaml", declaration);
        scene.Client = scene.Connect();
        scene.Systemd = new FakeSystemd(scene.Connect());
        await scene.Systemd.StartAsync();
        return scene;
    }

    public async Task StartAsync()
    {
        var options = new SupervisorOptions
        {
            BusAddress = _bus.Address,
            Root = Device.Root,
            StateFolder = _state.FullName,
            IssueFolder = _state.FullName,
            TrialPath = TrialPath,
            WorkerSocket = WorkerSocket ?? File("worker.sock"),
            JournalFolder = JournalFolder,
            Listen = Listen is null ? null : new IPEndPoint(Listen, _port),
        };
        _app = Daemon.Build(options, _own = new BusConnection(_bus.Address));
        await _app.StartAsync(TestContext.Current.CancellationToken);
        var address = Service<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate!.Subject.Contains("edge-7", StringComparison.Ordinal) };
        Http?.Dispose();
        Http = new HttpClient(handler) { BaseAddress = new Uri(address) };
        _port = Http.BaseAddress.Port;
    }

    /// <summary>Ends the daemon; it can be started again, at the same address.</summary>
    public async Task StopAsync()
    {
        await _app!.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        await _own!.DisposeAsync();
        (_app, _own) = (null, null);
    }

    /// <summary>Starts it, and waits until the worker has told of the slots.</summary>
    public async Task StartWithSlotsAsync()
    {
        await StartAsync();
        await Eventually.IsTrueAsync(() => Service<UpdateEngine>().Slots.Count == 2, "the slots");
    }

    public T Service<T>() where T : notnull => _app!.Services.GetRequiredService<T>();

    public async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await Http.GetStringAsync(path))!;

    public Task HealthBecomesAsync(string state) => Eventually.IsTrueAsync(async () => (string?)(await GetAsync("/api/v1/status"))["health"] == state, $"health {state}");

    public async Task<object> PropertyAsync(string name) =>
        ((Variant)(await Client.CallAsync(SupervisorObject.Name, SupervisorObject.Path, "org.freedesktop.DBus.Properties", "Get", "ss", SupervisorObject.Name, name))[0]).Value;

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (_app is not null) await _app.DisposeAsync();
        if (_own is not null) await _own.DisposeAsync();
        foreach (var connection in _connections) await connection.DisposeAsync();
        _bus.Dispose();
        Device.Dispose();
        _state.Delete(recursive: true);
    }

    private BusConnection Connect()
    {
        var connection = new BusConnection(_bus.Address);
        _connections.Add(connection);
        return connection;
    }
}
