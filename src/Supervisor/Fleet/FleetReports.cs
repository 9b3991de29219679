using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.Core.Telemetry;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Telemetry;

namespace Appliance.Supervisor.Fleet;

/// <summary>
/// Tells the fleet's server how the device is, and what its journal says that matters: in batches that wait on the disk while the
/// server is away.
/// </summary>
internal sealed class FleetReports(FleetAgent agent, FleetSettings settings, HealthMonitor health, JournalReader journal, string stateFolder, TimeProvider time) : BackgroundService, IJournalReports, IReportTaker
{
    private const string Kind = "fleet", KeptControls = "\n\t";
    private const int LongestText = 4096, LongestUnit = 256; // as the server takes them
    private const long Cap = 4 << 20;
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly ReportSpool _spool = new(Path.Combine(stateFolder, "fleet-reports"), Cap);
    private readonly WakeableSleep _sleep = new(time);
    private List<FleetLogLine> _lines = [];

    /// <inheritdoc/>
    public int MostLines => 500;

    /// <inheritdoc/>
    public int MostText => 100_000; // up to six bytes each in JSON, and the server takes a MiB

    /// <inheritdoc/>
    public string Name => "the fleet's server";

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _sleep.Dispose();
    }

    /// <inheritdoc/>
    public void Add(JournalLine line)
    {
        lock (_lock) _lines.Add(new FleetLogLine(line.At, line.Priority, line.Unit is { } unit ? Shortened(unit, LongestUnit) : null, Shortened(line.Message, LongestText)));
    }

    /// <inheritdoc/>
    public void Flush()
    {
        lock (_lock)
        {
            var report = health.Report;
            Put(new FleetReport(time.GetUtcNow(), DeviceView.Word(report.State), [.. report.Reasons.Select(reason => Shortened(reason, LongestText))], _lines));
            _lines = [];
        }
    }

    /// <inheritdoc/>
    public async Task<ReportAnswer> TakeAsync(SpooledReport report, byte[] content, CancellationToken cancellationToken)
    {
        if (agent.Client is not { } client) return new(ReportOutcome.Waits, "the device belongs to no fleet yet");
        try
        {
            // What it is called by must be the same when it is sent again, and another one's never.
            await client.BringAsync(Convert.ToHexStringLower(SHA256.HashData(content))[..40], content, cancellationToken);
            return new(ReportOutcome.Taken);
        }
        catch (DdiException e)
        {
            // Other servers have no place for reports.
            return new(e.Fault is DdiFault.Gone or DdiFault.Rejected ? ReportOutcome.Unusable : ReportOutcome.Waits, e.Message, e.RetryAfter);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!await agent.WaitUntilMemberAsync(stoppingToken)) return;
        using var sender = new ReportSender(_spool, this, time);
        using var forwarder = settings.Log < 0 ? null : new JournalForwarder(journal, this, [new LogRule { Priority = settings.Log }], Path.Combine(stateFolder, "fleet.cursor"), time);
        await sender.StartAsync(stoppingToken);
        if (forwarder is not null) await forwarder.StartAsync(stoppingToken);
        HealthReport? said = null;
        health.Changed += Wake;
        while (!stoppingToken.IsCancellationRequested)
        {
            var now = health.Report;
            if (said is null || said.State != now.State || !said.Reasons.SequenceEqual(now.Reasons)) Flush();
            said = now;
            await _sleep.SleepAsync(Timeout.InfiniteTimeSpan, stoppingToken); // changes come together
            await Task.Delay(Settle, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        health.Changed -= Wake;
        if (forwarder is not null) await forwarder.StopAsync(CancellationToken.None);
        await sender.StopAsync(CancellationToken.None);

        void Wake(HealthReport _) => _sleep.Wake();
    }

    private void Put(FleetReport report)
    {
        using var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) JsonSerializer.Serialize(zip, report, DdiJson.Default.FleetReport);
        _spool.Add(Kind, packed.GetBuffer().AsSpan(0, (int)packed.Length));
    }

    /// <summary>Its beginning, without what a terminal would obey, and without half a character at the end.</summary>
    private static string Shortened(string text, int longest)
    {
        var clean = PlainText.Clean(text, KeptControls);
        return clean.Length <= longest ? clean : clean[..(char.IsHighSurrogate(clean[longest - 1]) ? longest - 1 : longest)];
    }
}
