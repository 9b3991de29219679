using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Telemetry;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Serilog;

namespace Appliance.Supervisor.Findings;

/// <summary>Keeps the findings as they are now: after every change that is reported, and every minute for what nobody reports.</summary>
internal sealed class FindingList(DeviceFacts facts, HealthMonitor health, UpdateEngine engine, WorkloadUpdates workloads, CredentialDesk credentials, FleetAgent fleet, TimeProvider time, ReportSender? reports = null) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly WakeableSleep _sleep = new(time);
    private volatile IReadOnlyList<Finding> _current = [];

    /// <summary>Raised when the list is another one.</summary>
    public event Action? Changed;

    /// <summary>What is found now, what matters most first.</summary>
    public IReadOnlyList<Finding> Current => _current;

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
        fleet.Changed += _sleep.Wake;
        credentials.Changed += _sleep.Wake;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                Look();
                await _sleep.SleepAsync(Pause, stoppingToken);
            }
        }
        finally
        {
            engine.Changed -= _sleep.Wake;
            workloads.Changed -= _sleep.Wake;
            health.Changed -= WakeFor;
            fleet.Changed -= _sleep.Wake;
            credentials.Changed -= _sleep.Wake;
        }
    }

    private void Look()
    {
        var before = _current;
        var now = FindingRules.Find(new FindingInput
        {
            Now = time.GetUtcNow(),
            Built = facts.Built,
            ClockSet = facts.ClockSet,
            Uptime = facts.Uptime,
            Credentials = credentials.Known,
            Version = facts.Image.Version,
            RootVerified = facts.Slot.Verified,
            Health = health.Report,
            Updates = engine.State,
            Workloads = workloads.Known,
            Slots = engine.Slots,
            Data = facts.Data,
            Memory = facts.Memory,
            Temperature = facts.Temperature,
            Reports = reports?.Delivery,
            Fleet = fleet.Status,
            Before = before,
        });
        if (now.SequenceEqual(before)) return;
        _current = now;
        foreach (var finding in now.Where(finding => !before.Any(other => Same(other, finding))))
            Log.Write(finding.Severity == FindingSeverity.Note ? Serilog.Events.LogEventLevel.Information : Serilog.Events.LogEventLevel.Warning, "Found: {Title} ({Finding}): {Explanation}", finding.Title, finding.Id, finding.Explanation);
        foreach (var finding in before.Where(finding => !now.Any(other => Same(other, finding)))) Log.Information("No longer so: {Title} ({Finding})", finding.Title, finding.Id);
        Changed?.Invoke();
    }

    private static bool Same(Finding one, Finding other) => (one.Id, one.Subject, one.Severity) == (other.Id, other.Subject, other.Severity);
}
