using System.Text.RegularExpressions;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Supervisor.Tests.Control;
using Supervisor.Tests.Worker;
using UpdateClient.Tests.Workloads;

namespace Supervisor.Tests.Web;

/// <summary>The numbers in Prometheus' text format.</summary>
[Collection(nameof(TheProcess))]
public sealed class MetricsTests : IAsyncLifetime
{
    private readonly WorkerScene _worker = new();
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        await _worker.PublishAsync();
        _scene = await DaemonScene.PrepareAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        _scene.Device.Write("usr/lib/appliance/telemetry.json", """{"otlp":"http://127.0.0.1:1"}""");
        _scene.Device.Write("proc/loadavg", "0.25 0.10 0.05 1/100 4242\n");
        _scene.Device.Write("sys/class/thermal/thermal_zone0/temp", "48500\n");
        await _scene.StartWithSlotsAsync();
        await _scene.HealthBecomesAsync("healthy");
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
    }

    [Fact]
    public async Task TheDevice_InNumbers()
    {
        await _scene.Service<UpdateEngine>().Install(new InstallRequest { Source = _worker.Publisher.Repository, Reboot = false }).Work.WaitAsync(TestContext.Current.CancellationToken);

        var text = await ScrapeAsync();

        Assert.Equal(1, Value(text, "appliance_info", "id=\"edge\"", "version=\"1.0\"", "board=\"vm\"", "slot=\"a\"", "boot=\"trial\""));
        Assert.Equal(1, Value(text, "appliance_health", "state=\"healthy\""));
        Assert.Equal(0, Value(text, "appliance_health", "state=\"unhealthy\""));
        Assert.Equal(1, Value(text, "appliance_check_passing", "check=\"systemd\"", "gate=\"true\""));
        Assert.Equal(1, Value(text, "appliance_update_state", "state=\"installed\""));
        Assert.Equal(1, Value(text, "appliance_slot", "slot=\"b\"", "version=\"1.1\"", "running=\"false\""));
        Assert.Equal(0.25, Value(text, "appliance_load"));
        Assert.Equal(48.5, Value(text, "appliance_temperature_celsius"));
        Assert.Equal(2048 * 1024, Value(text, "appliance_memory_size_bytes"));
        Assert.Equal(1, Value(text, "appliance_job_duration_seconds_count", "kind=\"install\"", "state=\"done\""));
        Assert.True(Value(text, "appliance_update_downloaded_bytes_total") > 1000);
        Assert.True(Value(text, "appliance_supervisor_cpu_seconds_total") > 0);
    }

    [Fact]
    public async Task EveryMetric_IsInTheDocumentation_AndNoOther()
    {
        await _worker.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_worker.Publisher, "1.0", layerSize: 64 << 10));
        await _scene.Service<WorkloadUpdates>().Apply(new WorkloadRequest { Id = "shop", Source = _worker.Publisher.Repository }).Work.WaitAsync(TestContext.Current.CancellationToken);
        await _scene.Service<CredentialDesk>().Rotate("page-certificate", "a test").Work.WaitAsync(TestContext.Current.CancellationToken);
        var text = await ScrapeAsync();
        Assert.Equal(new DateTimeOffset(2049, 12, 31, 0, 0, 0, TimeSpan.Zero).ToUnixTimeSeconds(), Value(text, "appliance_credential_expiry_seconds", "credential=\"page-certificate\""));
        Assert.InRange(Value(text, "appliance_credential_rotated_seconds", "credential=\"page-certificate\""), DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeSeconds(), DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        Assert.Equal(1, Value(text, "appliance_workload", "workload=\"shop\"", "version=\"1.0\"", "state=\"idle\"", "last=\"applied\""));
        var shown = Regex.Matches(text, "^# TYPE (appliance_\\w+) ", RegexOptions.Multiline).Select(match => match.Groups[1].Value);
        var rows = (await File.ReadAllLinesAsync(Path.Combine(Repository.Folder, "docs", "metrics.md"), TestContext.Current.CancellationToken)).Where(line => line.StartsWith("| `", StringComparison.Ordinal));
        var documented = rows.SelectMany(row => Regex.Matches(row.Split('|')[1], "`(\\w+)`").Select(match => match.Groups[1].Value));

        Assert.Equal(shown.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task APrometheusServer_ReadsThem()
    {
        using var server = await PrometheusServer.StartAsync(_scene.Http.BaseAddress!);

        await Eventually.IsTrueAsync(async () => await server.QueryAsync("appliance_health{state=\"healthy\"}") == "1", "the health");
        Assert.Equal("2097152", await server.QueryAsync("appliance_memory_size_bytes"));
        Assert.Equal("1", await server.QueryAsync("count(appliance_info{id=\"edge\",version=\"1.0\"})"));
    }

    private Task<string> ScrapeAsync() => _scene.Http.GetStringAsync("/metrics", TestContext.Current.CancellationToken);

    /// <summary>The value of the one series with this name and these labels.</summary>
    private static double Value(string text, string name, params string[] labels)
    {
        var line = Assert.Single(text.Split('\n'), line => Regex.IsMatch(line, $"^{name}[{{ ]") && labels.All(label => line.Contains(label, StringComparison.Ordinal)));
        return double.Parse(Regex.Match(line, " ([0-9.e+-]+)( [0-9]+)?$").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
    }
}
