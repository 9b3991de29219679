using System.Diagnostics.Metrics;

namespace Appliance.Supervisor.Telemetry;

/// <summary>What goes to a collector, in numbers.</summary>
internal sealed class ReportMetrics : IDisposable
{
    private readonly Meter _meter = new(DeviceMetrics.MeterName);

    /// <summary>Begins to measure.</summary>
    public ReportMetrics(ReportSpool spool, JournalForwarder journal)
    {
        _meter.CreateObservableGauge("appliance.reports.waiting", () => spool.Bytes, "By", "Reports that wait on the disk.");
        Count("appliance.reports.sent", "Reports that the collector took.", () => spool.Sent);
        Count("appliance.reports.dropped", "Reports that were lost above the cap, or that the collector cannot read.", () => spool.Dropped);
        Count("appliance.log_lines.forwarded", "Lines of the journal put into reports.", () => journal.Forwarded);
        Count("appliance.log_lines.left_out", "Lines of the journal left out by a rule's share.", () => journal.SampledOut);
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private void Count(string name, string description, Func<long> read) => _meter.CreateObservableCounter(name, read, description: description);
}
