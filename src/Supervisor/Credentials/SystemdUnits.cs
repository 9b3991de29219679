using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Systemd;

namespace Appliance.Supervisor.Credentials;

/// <summary>Units of systemd, over the bus.</summary>
/// <param name="busAddress">Address of the bus, or null for the system's.</param>
/// <param name="time">Clock.</param>
internal sealed class SystemdUnits(string? busAddress, TimeProvider time) : IUnits
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(300);

    /// <inheritdoc/>
    public async Task<bool> IsActiveAsync(string unit, CancellationToken cancellationToken)
    {
        await using var bus = new BusConnection(busAddress);
        return await new Systemd1(bus).ActiveStateAsync(unit) is "active" or "activating" or "reloading";
    }

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> StartedAtAsync(string unit, CancellationToken cancellationToken)
    {
        await using var bus = new BusConnection(busAddress);
        return await new Systemd1(bus).MainStartAsync(unit);
    }

    /// <inheritdoc/>
    public Task RestartAsync(string unit, TimeSpan limit, CancellationToken cancellationToken) => DoAsync(unit, "active", limit, systemd => systemd.RestartAsync(unit), cancellationToken);

    /// <inheritdoc/>
    public async Task ReloadAsync(string unit, TimeSpan limit, CancellationToken cancellationToken)
    {
        await using (var bus = new BusConnection(busAddress))
        {
            var systemd = new Systemd1(bus);
            if (await systemd.ActiveStateAsync(unit) == "inactive" && await systemd.FileStateAsync(unit) is "disabled" or "masked" or "masked-runtime") return;
        }
        await DoAsync(unit, "active", limit, systemd => systemd.ReloadOrRestartAsync(unit), cancellationToken);
    }

    /// <inheritdoc/>
    public Task StopAsync(string unit, TimeSpan limit, CancellationToken cancellationToken) => DoAsync(unit, "inactive", limit, systemd => systemd.StopAsync(unit), cancellationToken);

    /// <summary>Begins a change, and waits until its job is over and the unit is as it should be.</summary>
    private async Task DoAsync(string unit, string wanted, TimeSpan limit, Func<Systemd1, Task> begin, CancellationToken cancellationToken)
    {
        await using var bus = new BusConnection(busAddress);
        var (systemd, start) = (new Systemd1(bus), time.GetTimestamp());
        // One that has failed too often is not started, whatever it finds now.
        if (wanted == "active" && await systemd.ActiveStateAsync(unit) == "failed") await systemd.ResetFailedAsync(unit);
        await begin(systemd);
        while (true)
        {
            var state = (await systemd.ListJobUnitsAsync()).Contains(unit) ? "" : await systemd.ActiveStateAsync(unit);
            if (state == wanted || (state == "failed" && wanted == "inactive")) return;
            if (state == "failed" || time.GetElapsedTime(start) > limit) throw new UserError($"{unit} is {(state.Length > 0 ? state : "under way")} and not {wanted}{(state == "failed" ? "" : $" after {limit.TotalSeconds:0} s")}.", $"Its journal says more: appliancectl logs --unit {unit}");
            await Task.Delay(Pace, time, cancellationToken);
        }
    }
}
