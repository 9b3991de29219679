using System.Diagnostics.Metrics;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Fleet;
using OpenTelemetry.Metrics;

namespace Appliance.UpdateServer.Serve;

/// <summary>What the server counts, for Prometheus at <c>/metrics</c>; a key of a viewer is asked for.</summary>
internal sealed class ServerMetrics : IDisposable
{
    private const string MeterName = "appliance.server", Path = "/metrics";
    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _polls, _reports;

    /// <summary>Counts in a database and its server.</summary>
    public ServerMetrics(FleetDatabase database, DeviceSignals signals, AuthorityWatch authority, RenewalWatch renewals)
    {
        _polls = _meter.CreateCounter<long>("appliance.server.polls", "{poll}", "Questions of devices whether there is something to do.");
        _reports = _meter.CreateCounter<long>("appliance.server.reports", "{report}", "What devices said about actions, by execution.");
        _meter.CreateObservableGauge("appliance.server.connected", () => signals.Connected, "{device}", "Devices that wait for events at this server.");
        _meter.CreateObservableGauge("appliance.server.devices", () => Count(database, context => context.Devices.GroupBy(device => device.State).Select(group => KeyValuePair.Create(group.Key.ToString(), group.Count()))), "{device}", "Devices by state.");
        _meter.CreateObservableGauge("appliance.server.actions", () => Count(database, context => context.Actions.Where(action => action.IsActive).GroupBy(action => action.State).Select(group => KeyValuePair.Create(group.Key.ToString(), group.Count()))), "{action}", "Actions that are not over, by state.");
        _meter.CreateObservableGauge("appliance.server.rollouts", () => Count(database, context => context.Rollouts.GroupBy(rollout => rollout.State).Select(group => KeyValuePair.Create(group.Key.ToString(), group.Count()))), "{rollout}", "Rollouts by state.");
        _meter.CreateObservableGauge("appliance.server.device_certificates.expiring", () => renewals.Expiring is { } expiring ? [new Measurement<int>(expiring)] : Array.Empty<Measurement<int>>(), "{device}", "Devices whose certificate ends within 7 days and was not renewed.");
        _meter.CreateObservableGauge("appliance.server.authority.expiry", () => authority.End is { } end ? [new Measurement<long>(end.ToUnixTimeSeconds())] : Array.Empty<Measurement<long>>(), "s", "When the authority ends that issues devices' certificates, in seconds since 1970.");
    }

    /// <summary>A device asked.</summary>
    public void Polled() => _polls.Add(1);

    /// <summary>A device said something about an action.</summary>
    public void Reported(string execution) => _reports.Add(1, new KeyValuePair<string, object?>("execution", execution));

    /// <summary>Adds what collects them.</summary>
    public static void Add(IServiceCollection services) => services.AddSingleton<ServerMetrics>().AddOpenTelemetry()
        .WithMetrics(metrics => metrics.AddMeter(MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime").AddPrometheusExporter());

    /// <summary>Adds the page.</summary>
    public static void Use(WebApplication application)
    {
        application.Services.GetRequiredService<ServerMetrics>();
        application.UseWhen(http => http.Request.Path == Path, branch => branch.Use(async (http, next) =>
        {
            if (await http.RequestServices.GetRequiredService<KeyAuthentication>().FindAsync(http.Request, http.RequestAborted) is not null) await next(http);
            else (http.Response.StatusCode, http.Response.Headers.WWWAuthenticate) = (StatusCodes.Status401Unauthorized, "Bearer");
        }));
        application.UseOpenTelemetryPrometheusScrapingEndpoint(Path);
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private static List<Measurement<int>> Count(FleetDatabase database, Func<FleetContext, IQueryable<KeyValuePair<string, int>>> query)
    {
        using var context = database.Open();
        return [.. query(context).AsEnumerable().Select(pair => new Measurement<int>(pair.Value, new KeyValuePair<string, object?>("state", pair.Key.ToLowerInvariant())))];
    }
}
