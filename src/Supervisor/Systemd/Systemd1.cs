using System.Globalization;
using System.Text;
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
    public async Task<string> ActiveStateAsync(string name) => (await UnitsAsync([name]))[0].ActiveState;

    /// <summary>Units by name, in the same order; one that does not exist has the load state <c>not-found</c>.</summary>
    public async Task<IReadOnlyList<ManagedUnit>> UnitsAsync(IReadOnlyList<string> names)
    {
        var found = Units(await bus.CallAsync(Service, Manager, ManagerInterface, "ListUnitsByNames", "as", names)).ToLookup(unit => unit.Name);
        return names.Select(name => found[name].FirstOrDefault() ?? new ManagedUnit(name, "", "not-found", "inactive", "dead")).ToList();
    }

    /// <summary>How a unit's file is installed, e.g. <c>enabled</c>, <c>disabled</c>, <c>masked</c> or <c>static</c>.</summary>
    public async Task<string> FileStateAsync(string name) => (string)(await bus.CallAsync(Service, Manager, ManagerInterface, "GetUnitFileState", "s", name))[0];

    /// <summary>When the main process of a service was started that runs now, or ran last; null where there was none.</summary>
    public async Task<DateTimeOffset?> MainStartAsync(string name)
    {
        var unit = (ObjectPath)(await bus.CallAsync(Service, Manager, ManagerInterface, "LoadUnit", "s", name))[0];
        var start = (ulong)((Variant)(await bus.CallAsync(Service, unit.Value, "org.freedesktop.DBus.Properties", "Get", "ss", "org.freedesktop.systemd1.Service", "ExecMainStartTimestamp"))[0]).Value;
        return start == 0 ? null : DateTimeOffset.UnixEpoch.AddMicroseconds(start);
    }

    /// <summary>Runs the generators and reads all unit files anew.</summary>
    public Task ReloadAsync() => bus.CallAsync(Service, Manager, ManagerInterface, "Reload");

    /// <summary>Has a unit started, or started anew when it runs. It is under way when this returns.</summary>
    public Task RestartAsync(string name) => bus.CallAsync(Service, Manager, ManagerInterface, "RestartUnit", "ss", name, "replace");

    /// <summary>Has a unit read its settings anew, or started anew where it cannot. It is under way when this returns.</summary>
    public Task ReloadOrRestartAsync(string name) => bus.CallAsync(Service, Manager, ManagerInterface, "ReloadOrRestartUnit", "ss", name, "replace");

    /// <summary>Has a unit started if it does not run. It is under way when this returns.</summary>
    public Task StartAsync(string name) => bus.CallAsync(Service, Manager, ManagerInterface, "StartUnit", "ss", name, "replace");

    /// <summary>Has a unit stopped. It is under way when this returns.</summary>
    public Task StopAsync(string name) => bus.CallAsync(Service, Manager, ManagerInterface, "StopUnit", "ss", name, "replace");

    /// <summary>Forgets that a unit has failed.</summary>
    public Task ResetFailedAsync(string name) => bus.CallAsync(Service, Manager, ManagerInterface, "ResetFailedUnit", "s", name);

    /// <summary>Names of the units that have a job in the queue.</summary>
    public async Task<IReadOnlyList<string>> ListJobUnitsAsync() =>
        ((List<object>)(await bus.CallAsync(Service, Manager, ManagerInterface, "ListJobs"))[0]).Select(job => (string)((object[])job)[1]).ToList();

    /// <summary>Calls back, on the bus thread, with the name of a unit whose job ended or whose state changed.</summary>
    public async Task FollowChangesAsync(Action<string> changed)
    {
        var states = new UnitStates();
        await bus.SubscribeAsync($"type='signal',sender='{Service}',path='{Manager}',interface='{ManagerInterface}',member='JobRemoved'", signal => changed((string)signal.Arguments[2]));
        await bus.SubscribeAsync($"type='signal',sender='{Service}',path_namespace='{Manager}/unit',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.freedesktop.systemd1.Unit'", signal =>
        {
            var unit = UnitName(signal.Path);
            if (states.IsNew(unit, signal.Arguments[1])) changed(unit);
        });
        await bus.CallAsync(Service, Manager, ManagerInterface, "Subscribe");
    }

    /// <summary>The last label of a unit's path names it; what D-Bus allows not in a path is written as _ and two hex digits.</summary>
    private static string UnitName(string path)
    {
        var label = path[(path.LastIndexOf('/') + 1)..];
        var name = new StringBuilder();
        for (var i = 0; i < label.Length; i++)
        {
            if (label[i] == '_' && i + 2 < label.Length && int.TryParse(label.AsSpan(i + 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var code))
            {
                name.Append((char)code);
                i += 2;
            }
            else name.Append(label[i]);
        }
        return name.ToString();
    }

    private static List<ManagedUnit> Units(IReadOnlyList<object> reply) =>
        ((List<object>)reply[0]).Select(item => (object[])item).Select(unit => new ManagedUnit((string)unit[0], (string)unit[1], (string)unit[2], (string)unit[3], (string)unit[4])).ToList();
}
