using System.Text.Json.Nodes;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Serilog;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>Exports <c>io.appliance.Supervisor1</c> and follows systemd: the daemon's side of the bus.</summary>
internal sealed class SupervisorObject(BusConnection bus, Systemd1 systemd, DeviceView device, HealthMonitor health, UpdateEngine engine, UpdateInterface updates, WorkloadInterface workloads, WorkloadUpdates workloadUpdates, StateInterface state, FindingInterface found, FindingList findings, AccessInterface access, SupportInterface support, FleetInterface membership, FleetAgent fleet, CredentialInterface credentials, CredentialDesk desk, JobObjects jobs, TimeProvider time, IHostApplicationLifetime lifetime) : IHostedService
{
    /// <summary>Bus name and interface.</summary>
    public const string Name = "io.appliance.Supervisor1";

    /// <summary>The object's path.</summary>
    public const string Path = "/io/appliance/Supervisor1";

    private const string BlessingUnit = "systemd-bless-boot.service";

    private readonly ulong _startedAt = Moment(time.GetUtcNow());

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await bus.ManageObjectsAsync(Path);
        await bus.ExportAsync(Path, Name, [.. updates.Methods, .. workloads.Methods, .. access.Methods, support.Method, .. membership.Methods, .. credentials.Methods], Properties(), [new("JobNew", "o", ["job"]), new("JobRemoved", "oss", ["job", "state", "message"])]);
        engine.Jobs.Started += jobs.Add;
        string[] changing = [.. UpdateInterface.Changing, "BootState", "TriesLeft"]; // the engine may call a boot good, too
        engine.Changed += () => Announce(changing);
        workloadUpdates.Changed += () => Announce(WorkloadInterface.Changing);
        health.Changed += _ => Announce("Health", "HealthReasons", "Checks");
        findings.Changed += () => Announce("Findings");
        fleet.Changed += () => Announce(FleetInterface.Changing);
        desk.Changed += () => Announce(CredentialInterface.Changing);
        await systemd.FollowChangesAsync(unit =>
        {
            health.UnitChanged(unit);
            if (unit == BlessingUnit) _ = LookForBlessingAsync();
        });
        await LookForBlessingAsync();
        await bus.RequestNameAsync(Name);
        _ = StopWhenTheBusEndsAsync();
        Log.Information("Supervisor of {Id} {Version} is on the bus; slot {Slot}, boot {BootState}", device.Facts.Image.Id, device.Facts.Image.Version, device.Facts.Slot.Name, DeviceView.Word(device.BootState));
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>All properties as <c>appliancectl --json</c> shows them, wherever it runs.</summary>
    public JsonObject Read()
    {
        var all = (JsonObject)BusJson.Translate(Properties().ToDictionary(property => (object)property.Name, property => property.Get()))!;
        CheckRows.Name(all);
        return all;
    }

    private List<BusProperty> Properties() =>
    [
        new("Id", "s", () => device.Facts.Image.Id),
        new("Version", "s", () => device.Facts.Image.Version),
        new("Board", "s", () => device.Facts.Image.Board),
        new("Slot", "s", () => device.Facts.Slot.Name),
        new("SlotLabel", "s", () => device.Facts.Slot.Label),
        new("RootHash", "s", () => device.Facts.RootHash),
        new("BootState", "s", () => DeviceView.Word(device.BootState)),
        new("TriesLeft", "i", () => device.BootState == BootState.Trial ? device.Facts.BootCount!.Left : -1),
        new("WorkloadsEngine", "s", () => device.Facts.Image.WorkloadsEngine),
        new("StartedAt", "t", () => _startedAt),
        new("Uptime", "t", () => (ulong)device.Facts.Uptime.TotalMicroseconds) { EmitsChange = false },
        new("Health", "s", () => DeviceView.Word(health.Report.State)),
        new("HealthReasons", "as", () => health.Report.Reasons),
        new("Checks", "a(sbsst)", () => health.Report.Checks.Select(check => new object[] { check.Name, check.Gate, DeviceView.Word(check.State), check.Message, Moment(check.Since) }).ToList()),
        // With every change it would be sent whole, for one new line.
        new("CheckHistory", "a(sa(tss))", () => health.Report.Checks.Select(check => new object[] { check.Name, check.History.Select(Change).ToList() }).ToList()) { EmitsChange = false },
        .. updates.Properties,
        workloads.Property,
        .. state.Properties,
        found.Property,
        membership.Property,
        credentials.Property,
    ];

    private static object[] Change(CheckChange change) => [Moment(change.At), DeviceView.Word(change.State), change.Message];

    /// <summary>systemd-bless-boot.service takes the counter off this boot's entry: from then on the boot is good.</summary>
    private async Task LookForBlessingAsync()
    {
        if (device.BootState != BootState.Trial) return;
        try
        {
            if (await systemd.ActiveStateAsync(BlessingUnit) != "active") return;
            engine.NoteBlessed();
            Log.Information("This boot of {Version} is good: the boot loader keeps it", device.Facts.Image.Version);
        }
        catch (BusException e)
        {
            Log.Warning("The state of the boot could not be read: {Reason}", e.Message);
        }
    }

    private void Announce(params string[] properties) => _ = AnnounceAsync(properties);

    private async Task AnnounceAsync(string[] properties)
    {
        try
        {
            await bus.EmitPropertiesChangedAsync(Path, Name, properties);
        }
        catch (BusException e)
        {
            Log.Warning("Changed properties could not be announced: {Reason}", e.Message);
        }
    }

    /// <summary>Without the bus there is nothing to supervise: end with an error, and systemd starts us again.</summary>
    private async Task StopWhenTheBusEndsAsync()
    {
        await bus.Closed;
        if (lifetime.ApplicationStopping.IsCancellationRequested) return;
        Log.Error("The connection to D-Bus ended; stopping");
        Environment.ExitCode = 1;
        lifetime.StopApplication();
    }
}
