using System.Text;
using Appliance.Core;
using Appliance.Core.Telemetry;
using Appliance.Supervisor.Journal;
using Serilog;

namespace Appliance.Supervisor.Telemetry;

/// <summary>
/// Follows the journal and puts the lines that the rules choose into the spool. Where it is, it writes down after the lines are there: a
/// crash in between sends some twice and loses none.
/// </summary>
internal sealed class JournalForwarder(JournalReader journal, IJournalReports reports, IReadOnlyList<LogRule> rules, string cursorPath, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(5), Retry = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private string? _cursor;
    private int _waiting, _length;
    private bool _moved;

    /// <summary>Lines that were put into the spool.</summary>
    public long Forwarded { get; private set; }

    /// <summary>Lines that a rule's share left out.</summary>
    public long SampledOut { get; private set; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _cursor = ReadCursor();
        await using var flushing = time.CreateTimer(_ => Flush(), null, FlushEvery, FlushEvery);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await journal.FollowAsync(_cursor, Take, stoppingToken);
            }
            catch (OperationCanceledException)
            {
                break;
            }
            catch (UserError e)
            {
                Log.Warning("The journal cannot be followed for reports: {Reason}", e.Message);
                if (_cursor is not null && e.Message.Contains("cursor", StringComparison.OrdinalIgnoreCase)) _cursor = null; // of a journal that is gone
            }
            await Task.Delay(Retry, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        Flush();
    }

    private void Take(JournalLine line, string cursor)
    {
        lock (_lock)
        {
            (_cursor, _moved) = (cursor, true);
            if (rules.FirstOrDefault(rule => rule.Unit is null || rule.Unit == line.Unit) is not { } rule || line.Priority > rule.Priority) return;
            if (rule.Share < 100 && Random.Shared.Next(100) >= rule.Share)
            {
                SampledOut++;
                return;
            }
            reports.Add(line);
            Forwarded++;
            _length += line.Message.Length;
            if (++_waiting >= reports.MostLines || _length >= reports.MostText) Flush();
        }
    }

    private void Flush()
    {
        lock (_lock)
        {
            if (!_moved) return;
            if (_waiting > 0) reports.Flush();
            (_waiting, _length) = (0, 0);
            try
            {
                DurableFile.Write(cursorPath, Encoding.ASCII.GetBytes(_cursor!));
                _moved = false;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Log.Warning("Where the journal was read to could not be noted, so that lines may be sent twice: {Reason}", e.Message);
            }
        }
    }

    private string? ReadCursor()
    {
        try
        {
            return File.Exists(cursorPath) && File.ReadAllText(cursorPath).Trim() is { Length: > 0 and < 1000 } cursor ? cursor : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Warning("Where the journal was read to is not known: {Reason}", e.Message);
            return null;
        }
    }
}
