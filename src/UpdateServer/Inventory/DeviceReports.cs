using System.IO.Compression;
using System.Text.Json;
using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Inventory;

/// <summary>What devices tell of themselves, in batches: a device that had no network tells it later. The same batch twice counts once.</summary>
internal sealed class DeviceReports(FleetDatabase database, SeenDevices seen, TimeProvider time)
{
    /// <summary>How many batches of a device are kept.</summary>
    public const int Kept = 200;

    /// <summary>How many bytes of packed log are kept of a device; its newest batch is kept in any case.</summary>
    public const long MostBytes = 16 << 20;

    private const int LongestBatchName = 64, MostLines = 5000, LowestPriority = 7;
    private const string KeptControls = "\n\t";

    /// <summary>Takes a batch. Control characters other than line breaks and tabs are replaced: PostgreSQL refuses some in a text.</summary>
    /// <param name="device">Whose it is.</param>
    /// <param name="batch">Its name, chosen by the device.</param>
    /// <param name="report">What it says.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>False when it was taken before.</returns>
    /// <exception cref="UserError">It makes no sense.</exception>
    public async Task<bool> TakeAsync(Device device, string batch, ReportedState report, CancellationToken cancellationToken)
    {
        seen.Note(device.Id);
        Require(batch, report);
        var now = time.GetUtcNow();
        var at = report.At!.Value < now ? report.At.Value : now; // a clock may be wrong
        var log = report.Log is { Count: > 0 } lines ? Pack(lines) : null;
        try
        {
            return await database.WriteAsync(context => AddAsync(context, new DeviceReport { DeviceId = device.Id, Batch = batch, At = at, ReceivedAt = now, Lines = report.Log?.Count ?? 0, Log = log }, report, cancellationToken), cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Another server has taken the same batch at the same time, or it is something else.
            await using var context = database.Open();
            if (!await IsTakenAsync(context, device.Id, batch, cancellationToken)) throw;
            return false;
        }
    }

    /// <summary>Lines of a device's log, the newest first.</summary>
    /// <param name="device">Number of the device's row.</param>
    /// <param name="priority">The least that they matter, 7 for all.</param>
    /// <param name="unit">Of one unit only; null for all.</param>
    /// <param name="take">At most so many.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<LogLine>> LogAsync(long device, int priority, string? unit, int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var found = new List<LogLine>();
        await foreach (var batch in context.Reports.AsNoTracking().Where(row => row.DeviceId == device && row.Log != null).OrderByDescending(row => row.At).ThenByDescending(row => row.Id).Select(row => row.Log).AsAsyncEnumerable().WithCancellation(cancellationToken))
        {
            found.AddRange(Unpack(batch!).Where(line => line.Priority <= priority && (unit is null || line.Unit == unit)));
            if (found.Count >= take) break;
        }
        return [.. found.OrderByDescending(line => line.At).Take(take)];
    }

    private static async Task<bool> AddAsync(FleetContext context, DeviceReport row, ReportedState report, CancellationToken cancellationToken)
    {
        if (await IsTakenAsync(context, row.DeviceId, row.Batch, cancellationToken)) return false;
        context.Reports.Add(row);
        if (report.Health is { } health)
        {
            var reason = report.Reasons is { Count: > 0 } reasons ? Shortened(PlainText.Clean(string.Join('\n', reasons), KeptControls)) : null;
            // What was said later is not undone by what comes late.
            await context.Devices.Where(device => device.Id == row.DeviceId && (device.ReportedAt == null || device.ReportedAt <= row.At))
                .ExecuteUpdateAsync(set => set.SetProperty(device => device.Health, health).SetProperty(device => device.HealthReason, reason).SetProperty(device => device.ReportedAt, row.At), cancellationToken);
        }
        await context.SaveChangesAsync(cancellationToken);
        await TrimAsync(context, row.DeviceId, cancellationToken);
        return true;
    }

    private static Task<bool> IsTakenAsync(FleetContext context, long device, string batch, CancellationToken cancellationToken) =>
        context.Reports.AnyAsync(row => row.DeviceId == device && row.Batch == batch, cancellationToken);

    /// <summary>Deletes what is too much of a device, the oldest first.</summary>
    private static async Task TrimAsync(FleetContext context, long device, CancellationToken cancellationToken)
    {
        var newest = await context.Reports.Where(row => row.DeviceId == device).OrderByDescending(row => row.Id).Take(Kept + 1)
            .Select(row => new { row.Id, Length = row.Log == null ? 0 : row.Log.Length }).ToListAsync(cancellationToken);
        var (kept, bytes) = (0, 0L);
        while (kept < Math.Min(newest.Count, Kept) && (bytes += newest[kept].Length) <= MostBytes) kept++;
        kept = Math.Max(kept, 1);
        if (kept >= newest.Count) return;
        var tooOld = newest[kept].Id;
        await context.Reports.Where(row => row.DeviceId == device && row.Id <= tooOld).ExecuteDeleteAsync(cancellationToken);
    }

    private static void Require(string batch, ReportedState report)
    {
        if (batch.Length is 0 or > LongestBatchName || !batch.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_')) throw new UserError($"A batch's name has 1 to {LongestBatchName} letters, digits, - and _.");
        if (report.At is null) throw new UserError("The report lacks its time (at).");
        if (report.Health is { } health && !Enum.IsDefined(health)) throw new UserError($"health is one of {string.Join(", ", Enum.GetNames<DeviceHealth>()).ToLowerInvariant()}.");
        if (report.Log?.Count > MostLines) throw new UserError($"A report has at most {MostLines} lines of a log.", "Send the rest as another batch.");
        if (report.Log?.Any(line => line is null || line.Text is null || line.Text.Length > FleetContext.LongestText || line.Unit?.Length > FleetContext.LongestName || line.Priority is < 0 or > LowestPriority) == true)
            throw new UserError($"A line of a log has a text of at most {FleetContext.LongestText} characters and a priority from 0 to {LowestPriority}.");
    }

    /// <summary>Its beginning, without half a character at the end.</summary>
    private static string Shortened(string text) =>
        text.Length <= FleetContext.LongestText ? text : text[..(char.IsHighSurrogate(text[FleetContext.LongestText - 1]) ? FleetContext.LongestText - 1 : FleetContext.LongestText)];

    private static byte[] Pack(IReadOnlyList<LogLine> lines)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest)) JsonSerializer.Serialize(gzip, lines.Select(line => line with { Unit = line.Unit is null ? null : PlainText.Clean(line.Unit, KeptControls), Text = PlainText.Clean(line.Text, KeptControls) }));
        return packed.ToArray();
    }

    private static List<LogLine> Unpack(byte[] packed)
    {
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        return JsonSerializer.Deserialize<List<LogLine>>(gzip)!;
    }
}
