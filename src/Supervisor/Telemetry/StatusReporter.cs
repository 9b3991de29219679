using System.Text.Json;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Web;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Telemetry;

/// <summary>Reports how the device stands: after changes, and every quarter of an hour.</summary>
internal sealed class StatusReporter(DeviceView device, HealthMonitor health, FindingList findings, UpdateEngine engine, UpdateSchedule schedule, WorkloadUpdates workloads, OtlpLogs logs, TimeProvider time) : BackgroundService
{
    /// <summary>The record's event name.</summary>
    public const string EventName = "appliance.status";

    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(15), Settle = TimeSpan.FromSeconds(10);

    private readonly WakeableSleep _sleep = new(time);

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _sleep.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        void WakeFor(HealthReport _) => _sleep.Wake();

        engine.Changed += _sleep.Wake;
        workloads.Changed += _sleep.Wake;
        health.Changed += WakeFor;
        findings.Changed += _sleep.Wake;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                Report();
                await _sleep.SleepAsync(Pause, stoppingToken);
                // Changes come together.
                await Task.Delay(Settle, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            engine.Changed -= _sleep.Wake;
            workloads.Changed -= _sleep.Wake;
            health.Changed -= WakeFor;
            findings.Changed -= _sleep.Wake;
        }
    }

    private void Report()
    {
        var status = new StatusReport(device.Take(), DeviceUpdates.Of(engine, schedule), workloads.Known, DeviceFinding.AllOf(findings));
        logs.Add(time.GetUtcNow(), 6, JsonSerializer.Serialize(status, StatusJson.Default.StatusReport), [new("event.name", EventName)]);
        logs.Flush();
    }
}
