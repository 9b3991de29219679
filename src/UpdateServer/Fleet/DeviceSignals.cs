using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using Npgsql;
using Serilog;

namespace Appliance.UpdateServer.Fleet;

/// <summary>
/// Wakes devices that are connected when there is something for them. Servers on one PostgreSQL tell each other (LISTEN, NOTIFY), so
/// a device may be connected to another server than the one that gives it something.
/// </summary>
internal sealed class DeviceSignals : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<long, Channel<bool>> _connected = new();
    private readonly FleetDatabase _database;
    private readonly TimeProvider _time;

    /// <summary>For a database.</summary>
    public DeviceSignals(FleetDatabase database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        database.Signalled += Wake;
    }

    /// <summary>Devices that are connected to this server.</summary>
    public int Connected => _connected.Count;

    /// <summary>A device waits for signals from now on. One connection before this one ends.</summary>
    public Channel<bool> Connect(long deviceId)
    {
        // One signal that waits says as much as many.
        var channel = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        _connected.AddOrUpdate(deviceId, channel, (_, before) =>
        {
            before.Writer.TryComplete();
            return channel;
        });
        return channel;
    }

    /// <summary>It does not wait any longer.</summary>
    public void Disconnect(long deviceId, Channel<bool> channel) => _connected.TryRemove(KeyValuePair.Create(deviceId, channel));

    /// <inheritdoc/>
    public override void Dispose()
    {
        _database.Signalled -= Wake;
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_database.Shared is not { } source) return;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(source, stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or IOException && !stoppingToken.IsCancellationRequested)
            {
                Log.Warning("Connected devices are not woken until the database answers: {Reason}", e.Message);
                await Task.Delay(Pause, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ListenAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        connection.Notification += (_, notification) => Wake(notification.Payload.Split(',').Select(text => long.Parse(text, CultureInfo.InvariantCulture)));
        await using (var listen = new NpgsqlCommand($"LISTEN {FleetDatabase.Channel}", connection)) await listen.ExecuteNonQueryAsync(cancellationToken);
        Wake(_connected.Keys); // what came while nobody listened
        while (true) await connection.WaitAsync(cancellationToken);
    }

    private void Wake(IEnumerable<long> devices)
    {
        foreach (var device in devices)
            if (_connected.TryGetValue(device, out var channel)) channel.Writer.TryWrite(true);
    }
}
