using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Serilog;

namespace Appliance.UpdateServer.Fleet;

/// <summary>When devices were last seen. Written some seconds later, many at once: a poll alone writes nothing.</summary>
internal sealed class SeenDevices(FleetDatabase database, TimeProvider time) : BackgroundService
{
    private const int RowsPerStatement = 500;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);
    private ConcurrentDictionary<long, long> _seen = new();

    /// <summary>A device asked.</summary>
    public void Note(long deviceId) => _seen[deviceId] = time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Writes what was noted so far.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var seen = Interlocked.Exchange(ref _seen, new()).OrderBy(pair => pair.Key).ToList();
        if (seen.Count == 0) return;
        await database.WriteAsync(async context =>
        {
            foreach (var rows in seen.Chunk(RowsPerStatement))
            {
                var text = new StringBuilder("UPDATE \"Devices\" SET \"LastSeenAt\" = seen.at FROM (");
                // Numbers of our own, so nothing in the statement is anybody's text.
                text.AppendJoin(" UNION ALL ", rows.Select(row => string.Create(CultureInfo.InvariantCulture, $"SELECT {row.Key} AS id, {row.Value} AS at")));
                text.Append(") AS seen WHERE \"Devices\".\"Id\" = seen.id");
                await context.Database.ExecuteSqlRawAsync(text.ToString(), cancellationToken);
            }
        }, cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await FlushAsync(CancellationToken.None);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Devices that ask again are seen again.
                Log.Warning("When devices were last seen could not be written: {Reason}", e.Message);
            }
        }
    }
}
