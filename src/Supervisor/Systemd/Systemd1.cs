using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Systemd;

/// <summary>The part of <c>org.freedesktop.systemd1.Manager</c> the supervisor uses; it only translates.</summary>
internal sealed class Systemd1(BusConnection bus)
{
    private const string Service = "org.freedesktop.systemd1";
    private const string Manager = "/org/freedesktop/systemd1";
    private const string ManagerInterface = "org.freedesktop.systemd1.Manager";

    /// <summary>Units in the state <c>failed</c>.</summary>
    public async Task<IReadOnlyList<ManagedUnit>> ListFailedUnitsAsync() =>
        Units(await bus.CallAsync(Service, Manager, ManagerInterface, "ListUnitsFiltered", "as", new List<object> { "failed" }));

    /// <summary>The active state of a unit, e.g. <c>active</c>; <c>inactive</c> for one that does not exist.</summary>
    public async Task<string> ActiveStateAsync(string name) =>
        Units(await bus.CallAsync(Service, Manager, ManagerInterface, "ListUnitsByNames", "as", new List<object> { name }))[0].ActiveState;

    /// <summary>Names of the units that have a job in the queue.</summary>
    public async Task<IReadOnlyList<string>> ListJobUnitsAsync() =>
        ((List<object>)(await bus.CallAsync(Service, Manager, ManagerInterface, "ListJobs"))[0]).Select(job => (string)((object[])job)[1]).ToList();

    /// <summary>Calls back, on the bus thread, whenever a job ends or a unit changes its state.</summary>
    public async Task FollowChangesAsync(Action changed)
    {
        await bus.SubscribeAsync($"type='signal',sender='{Service}',path='{Manager}',interface='{ManagerInterface}',member='JobRemoved'", _ => changed());
        await bus.SubscribeAsync($"type='signal',sender='{Service}',path_namespace='{Manager}/unit',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.freedesktop.systemd1.Unit'", _ => changed());
        await bus.CallAsync(Service, Manager, ManagerInterface, "Subscribe");
    }

    private static List<ManagedUnit> Units(IReadOnlyList<object> reply) =>
        ((List<object>)reply[0]).Select(item => (object[])item).Select(unit => new ManagedUnit((string)unit[0], (string)unit[1], (string)unit[3], (string)unit[4])).ToList();
}
