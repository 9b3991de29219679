using Appliance.Core.Telemetry;
using Appliance.Supervisor.Device;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Appliance.Supervisor.Telemetry;

/// <summary>Puts together what reports: the numbers for Prometheus always, all else when the image names a collector.</summary>
internal static class TelemetryServices
{
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(30);

    /// <summary>Adds the services.</summary>
    public static void Add(IServiceCollection services, DeviceFacts facts, TelemetrySettings settings, string stateFolder)
    {
        var metrics = services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(DeviceMetrics.MeterName).AddInstrumentation(provider => ActivatorUtilities.CreateInstance<DeviceMetrics>(provider)).AddPrometheusExporter());
        if (settings.Otlp is null) return;

        var spool = new ReportSpool(Path.Combine(stateFolder, "spool"), settings.Spool);
        services.AddSingleton(spool);
        services.AddSingleton(new OtlpLogs(Exporter("logs"), Resource(ResourceBuilder.CreateEmpty())));
        services.AddSingleton(provider => new JournalForwarder(provider.GetRequiredService<Journal.JournalReader>(), provider.GetRequiredService<OtlpLogs>(), settings.Logs, Path.Combine(stateFolder, "journal.cursor"), provider.GetRequiredService<TimeProvider>()));
        services.AddHostedService(provider => provider.GetRequiredService<JournalForwarder>());
        services.AddHostedService<StatusReporter>();
        services.AddSingleton(provider => new ReportSender(spool, new OtlpTaker(settings.Otlp, new HttpClient { Timeout = SendLimit }), provider.GetRequiredService<TimeProvider>()));
        services.AddHostedService(provider => provider.GetRequiredService<ReportSender>());
        metrics.WithMetrics(metrics => metrics.ConfigureResource(resource => Resource(resource.Clear())).AddInstrumentation(provider => new ReportMetrics(spool, provider.GetRequiredService<JournalForwarder>())).AddReader(new PeriodicExportingMetricReader(new OtlpMetricExporter(Exporter("metrics")), (int)settings.Interval.TotalMilliseconds)));

        // The address is nobody's: the handler keeps what is sent.
        OtlpExporterOptions Exporter(string kind) => new()
        {
            Protocol = OtlpExportProtocol.HttpProtobuf,
            Endpoint = new Uri($"http://localhost/v1/{kind}"),
            HttpClientFactory = () => new HttpClient(new SpoolHandler(spool)),
        };

        ResourceBuilder Resource(ResourceBuilder resource) => resource.AddService("appliance", serviceVersion: facts.Image.Version, autoGenerateServiceInstanceId: false, serviceInstanceId: facts.Hostname)
            .AddAttributes([new("host.name", facts.Hostname), new("appliance.id", facts.Image.Id), new("appliance.board", facts.Image.Board)]);
    }
}
