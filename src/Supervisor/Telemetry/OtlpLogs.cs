using Appliance.Supervisor.Journal;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Resources;

namespace Appliance.Supervisor.Telemetry;

/// <summary>Makes log records of OpenTelemetry and puts them, many in a request, into the spool.</summary>
internal sealed class OtlpLogs : IJournalReports, IDisposable
{
    private const int Batch = 500;

    private readonly Lock _lock = new();
    private readonly Stamp _stamp = new();
    private readonly BatchLogRecordExportProcessor _batch;
    private readonly ILoggerFactory _factory;
    private readonly ILogger _logger;

    /// <summary>Begins.</summary>
    /// <param name="options">Where the exporter sends to: the spool.</param>
    /// <param name="resource">Whose records they are.</param>
    public OtlpLogs(OtlpExporterOptions options, ResourceBuilder resource)
    {
        // It exports when it is told to: only then is it known what is on the disk.
        _batch = new BatchLogRecordExportProcessor(new OtlpLogExporter(options), maxQueueSize: 4 * Batch, scheduledDelayMilliseconds: int.MaxValue, maxExportBatchSize: Batch);
        _factory = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddOpenTelemetry(logs =>
        {
            logs.IncludeFormattedMessage = true;
            logs.SetResourceBuilder(resource);
            logs.AddProcessor(_stamp);
            logs.AddProcessor(_batch);
        }));
        _logger = _factory.CreateLogger("appliance");
    }

    /// <inheritdoc/>
    public int MostLines => Batch;

    /// <inheritdoc/>
    public int MostText => 1 << 20; // a collector takes some MiB at once, and all of it is in memory until it is written

    /// <inheritdoc/>
    public void Add(JournalLine line) =>
        Add(line.At, line.Priority, line.Message, [new("syslog.appname", line.Source), new("syslog.severity.code", line.Priority), .. line.Unit is { } unit ? new KeyValuePair<string, object?>[] { new("systemd.unit", unit) } : []]);

    /// <summary>Adds a record.</summary>
    /// <param name="at">When it was.</param>
    /// <param name="priority">0 (emergency) to 7 (debug), syslog(3).</param>
    /// <param name="text">What it says.</param>
    /// <param name="attributes">What else is known.</param>
    public void Add(DateTimeOffset at, int priority, string text, params IReadOnlyList<KeyValuePair<string, object?>> attributes)
    {
        lock (_lock)
        {
            _stamp.At = at.UtcDateTime;
            _logger.Log(Level(priority), default, attributes, null, (_, _) => text);
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
        lock (_lock) _batch.ForceFlush();
    }

    /// <inheritdoc/>
    public void Dispose() => _factory.Dispose();

    private static LogLevel Level(int priority) => priority switch { <= 2 => LogLevel.Critical, 3 => LogLevel.Error, 4 => LogLevel.Warning, <= 6 => LogLevel.Information, _ => LogLevel.Debug };

    /// <summary>Gives a record the time of what it tells, instead of now.</summary>
    private sealed class Stamp : BaseProcessor<LogRecord>
    {
        public DateTime At { get; set; }

        public override void OnEnd(LogRecord data) => data.Timestamp = At;
    }
}
