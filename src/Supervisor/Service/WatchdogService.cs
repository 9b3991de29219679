using System.Globalization;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Health;
using Microsoft.Extensions.Hosting.Systemd;
using Serilog;

namespace Appliance.Supervisor.Service;

/// <summary>
/// Tells systemd's watchdog that the daemon lives, and only when it does: the bus thread has done a piece of work and the
/// health monitor has moved since. A daemon that hangs in either is killed and started again.
/// </summary>
internal sealed class WatchdogService(BusConnection bus, HealthMonitor health, ISystemdNotifier notifier, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan LongestStandstill = TimeSpan.FromSeconds(10);

    /// <summary>The limit systemd gave, or null without one (sd_watchdog_enabled(3)).</summary>
    public static TimeSpan? Limit =>
        long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0 ? TimeSpan.FromMicroseconds(microseconds) : null;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (Limit is not { } limit) return;
        using var timer = new PeriodicTimer(limit / 3, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await bus.PingThreadAsync().WaitAsync(limit / 3, time, stoppingToken);
                if (time.GetElapsedTime(health.LastActivity) < LongestStandstill) notifier.Notify(new ServiceState("WATCHDOG=1"));
                else Log.Error("The health monitor stands still; leaving the rest to the watchdog");
            }
            catch (Exception e) when (e is TimeoutException or BusException)
            {
                Log.Error("The bus thread does not work ({Reason}); leaving the rest to the watchdog", e.Message);
            }
        }
    }
}
