using System.Diagnostics.Metrics;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Appliance.Supervisor.Telemetry;

/// <summary>
/// The device in numbers, for whoever collects them: names and units after OpenTelemetry's conventions; docs/metrics.md has them as
/// Prometheus shows them. What has a fixed number of states is one series a state, 1 for the one that holds.
/// </summary>
internal sealed class DeviceMetrics : IDisposable
{
    /// <summary>The meter.</summary>
    public const string MeterName = "appliance";

    private static readonly string[] UpdateStates = ["idle", "checking", "downloading", "installed", "probation", "rebooting"];

    private readonly Meter _meter = new(MeterName);
    private readonly UpdateEngine _engine;
    private readonly Histogram<double> _jobSeconds;
    private readonly Counter<long> _downloaded;

    /// <summary>Begins to measure.</summary>
    public DeviceMetrics(DeviceView device, HealthMonitor health, FindingList findings, UpdateEngine engine, WorkloadUpdates workloads, CredentialDesk credentials)
    {
        _engine = engine;
        var facts = device.Facts;
        Gauge("appliance.info", "", "What runs, as labels.", () => [new(1, new Tag("id", facts.Image.Id), new("version", facts.Image.Version), new("board", facts.Image.Board), new("slot", facts.Slot.Name), new("boot", DeviceView.Word(device.BootState)))]);
        Gauge("appliance.health", "", "The verdict.", () => OneOf("state", Enum.GetValues<HealthState>().Select(DeviceView.Word), DeviceView.Word(health.Report.State)));
        Gauge("appliance.check.passing", "", "Every health check that has been tried: whether it passes. A gate counts for the verdict.",
            () => health.Report.Checks.Where(check => check.Passed is not null).Select(check => new Measurement<double>(check.Passed == true ? 1 : 0, new Tag("check", check.Name), new("gate", check.Gate ? "true" : "false"))));
        Gauge("appliance.findings", "", "What is wrong or soon will be.",
            () => Enum.GetValues<FindingSeverity>().Select(severity => new Measurement<double>(findings.Current.Count(finding => finding.Severity == severity), new Tag("severity", DeviceView.Word(severity)))));
        Gauge("appliance.update.state", "", "What the update engine does.", () => OneOf("state", UpdateStates, UpdateInterface.StateWord(engine)));
        Gauge("appliance.update.failed_versions", "", "Versions that were tried and not kept.", () => [new(engine.State.Failed.Count)]);
        Gauge("appliance.slot", "", "Both slots, as labels.",
            () => engine.Slots.Select(slot => new Measurement<double>(1, new Tag("slot", slot.Name), new("state", DeviceView.Word(slot.State)), new("version", slot.Version ?? ""), new("running", slot.Running ? "true" : "false"))));
        Gauge("appliance.workload", "", "The workloads, as labels.",
            () => workloads.Known.Select(workload => new Measurement<double>(1, new Tag("workload", workload.Id), new("version", workload.State.Current ?? ""), new("state", workload.State.Trial is { } trial ? DeviceView.Word(trial.Phase) : "idle"), new("last", workload.State.History is [.., var last] ? last.Outcome : ""))));
        Gauge("appliance.uptime", "s", "Time since power-on.", () => [new(facts.Uptime.TotalSeconds)]);
        Gauge("appliance.load", "", "Runnable and running tasks, averaged over a minute.", () => [new(facts.Load)]);
        Gauge("appliance.memory.size", "By", "Memory.", () => [new(facts.Memory.Total)]);
        Gauge("appliance.memory.available", "By", "Memory that can be used without swapping.", () => [new(facts.Memory.Available)]);
        Gauge("appliance.data.size", "By", "The data partition.", () => [new(facts.Data.Total)]);
        Gauge("appliance.data.free", "By", "What is free on the data partition.", () => [new(facts.Data.Free)]);
        Gauge("appliance.temperature", "Cel", "The hottest sensor.", () => facts.Temperature is { } degrees ? [new(degrees)] : []);
        Gauge("appliance.clock.set", "", "Whether the clock has been set from the network since the start.", () => [new(facts.ClockSet ? 1 : 0)]);
        Gauge("appliance.credential.expiry", "s", "When a credential ends, in seconds since 1970.", () => Moments(credentials, credential => credential.ExpiresAt));
        Gauge("appliance.credential.rotated", "s", "When a credential was last changed, in seconds since 1970.", () => Moments(credentials, credential => credential.RotatedAt));
        Gauge("appliance.credential.failing", "", "Whether the last rotation of a credential failed.", () => credentials.Known.Select(credential => new Measurement<double>(credential.Trouble is null ? 0 : 1, new Tag("credential", credential.Name))));
        Gauge("appliance.supervisor.memory", "By", "Resident memory of the supervisor.", () => [new(Environment.WorkingSet)]);
        _meter.CreateObservableCounter("appliance.supervisor.cpu", () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "Processor time of the supervisor.");
        _jobSeconds = _meter.CreateHistogram("appliance.job.duration", "s", "Jobs that ended since the supervisor started.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 10, 60, 300, 900, 3600] });
        _downloaded = _meter.CreateCounter<long>("appliance.update.downloaded", "By", "Bytes that installations and releases fetched since the supervisor started.");
        engine.Jobs.Started += Follow;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _engine.Jobs.Started -= Follow;
        _meter.Dispose();
    }

    private static IEnumerable<Measurement<double>> Moments(CredentialDesk credentials, Func<CredentialStatus, DateTimeOffset?> choose) =>
        credentials.Known.Where(credential => choose(credential) is not null).Select(credential => new Measurement<double>(choose(credential)!.Value.ToUnixTimeSeconds(), new Tag("credential", credential.Name)));

    private static IEnumerable<Measurement<double>> OneOf(string label, IEnumerable<string> words, string now) => words.Select(word => new Measurement<double>(word == now ? 1 : 0, new Tag(label, word)));

    private void Gauge(string name, string unit, string description, Func<IEnumerable<Measurement<double>>> read) => _meter.CreateObservableGauge(name, read, unit, description);

    private void Follow(UpdateJob job)
    {
        var begin = System.Diagnostics.Stopwatch.GetTimestamp();
        var ended = 0;
        job.Changed += _ =>
        {
            var view = job.View;
            if (view.State == JobState.Running || Interlocked.Exchange(ref ended, 1) != 0) return;
            _jobSeconds.Record(System.Diagnostics.Stopwatch.GetElapsedTime(begin).TotalSeconds, new("kind", view.Kind), new("state", DeviceView.Word(view.State)));
            _downloaded.Add(view.Downloaded);
        };
    }
}
