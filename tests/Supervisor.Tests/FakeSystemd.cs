using Appliance.Supervisor.Bus;

namespace Supervisor.Tests;

/// <summary>A D-Bus peer that answers as systemd's manager does, with units and jobs of the test's choice.</summary>
internal sealed class FakeSystemd(BusConnection bus)
{
    private const string AnyUnit = "any.service";
    private const string Path = "/org/freedesktop/systemd1", Interface = "org.freedesktop.systemd1.Manager";

    private readonly HashSet<string> _exported = [];

    public Dictionary<string, string> Units { get; } = [];
    public Dictionary<string, string> SubStates { get; } = [];
    public Dictionary<string, string> FileStates { get; } = [];
    public List<string> Reloaded { get; } = [];

    /// <summary>Units that have failed too often to be started.</summary>
    public HashSet<string> Limited { get; } = [];

    public List<string> Jobs { get; } = [];
    private int _announced;

    public async Task StartAsync()
    {
        const string unitList = "a(ssssssouso)", jobList = "a(usssoo)";
        await bus.ExportAsync(Path, Interface,
            [
                new("ListUnitsFiltered", "as", unitList, ["states", "units"], arguments => [List(unit => ((List<object>)arguments[0]).Contains(unit.Value))]),
                new("ListUnitsByNames", "as", unitList, ["names", "units"], arguments => [((List<object>)arguments[0]).Select(name => Unit((string)name, Units.GetValueOrDefault((string)name, ""))).ToList()]),
                new("ListJobs", "", jobList, ["jobs"], _ => [Jobs.Select(unit => (object)new object[] { 1u, unit, "start", "waiting", new ObjectPath("/j"), new ObjectPath("/u") }).ToList()]),
                new("Subscribe", "", "", [], _ => []),
                new("LoadUnit", "s", "o", ["name", "unit"], arguments => [new ObjectPath(UnitPath((string)arguments[0]))]),
                new("GetUnitFileState", "s", "s", ["name", "state"], arguments => [FileStates[(string)arguments[0]]]),
                new("ResetFailedUnit", "s", "", ["name"], arguments => Forget((string)arguments[0])),
                new("ReloadOrRestartUnit", "ss", "o", ["name", "mode", "job"], arguments => Reload((string)arguments[0])),
            ], []);
        await ExportUnitAsync(AnyUnit);
        await bus.RequestNameAsync("org.freedesktop.systemd1");
    }

    /// <summary>A service whose program was started then.</summary>
    public Task ExportServiceAsync(string unit, DateTimeOffset? startedAt) =>
        bus.ExportAsync(UnitPath(unit), "org.freedesktop.systemd1.Service", [], [new("ExecMainStartTimestamp", "t", () => (ulong)((startedAt - DateTimeOffset.UnixEpoch)?.TotalMicroseconds ?? 0))]);

    private object[] Reload(string unit)
    {
        Reloaded.Add(unit);
        Units[unit] = Limited.Contains(unit) ? "failed" : "active";
        return [new ObjectPath("/j")];
    }

    private object[] Forget(string unit)
    {
        Limited.Remove(unit);
        return [];
    }

    /// <summary>A unit's state changed: what systemd announces then.</summary>
    public Task AnnounceChangeAsync(string unit = AnyUnit)
    {
        _announced++;
        return AnnounceAsync(unit);
    }

    /// <summary>Systemd announces a unit as it is.</summary>
    public async Task AnnounceAsync(string unit)
    {
        await ExportUnitAsync(unit);
        await bus.EmitPropertiesChangedAsync(UnitPath(unit), "org.freedesktop.systemd1.Unit", ["ActiveState"]);
    }

    private async Task ExportUnitAsync(string unit)
    {
        if (_exported.Add(unit)) await bus.ExportAsync(UnitPath(unit), "org.freedesktop.systemd1.Unit", [], [new("ActiveState", "s", () => _announced % 2 == 0 ? "active" : "inactive")]);
    }

    /// <summary>sd_bus_path_encode(3): all but letters and digits as _ and two hex digits.</summary>
    private static string UnitPath(string unit) => "/org/freedesktop/systemd1/unit/" + string.Concat(unit.Select(c => char.IsAsciiLetterOrDigit(c) ? $"{c}" : $"_{(int)c:x2}"));

    private List<object> List(Func<KeyValuePair<string, string>, bool> filter) => Units.Where(filter).Select(unit => Unit(unit.Key, unit.Value)).ToList();

    private object Unit(string name, string state) =>
        new object[] { name, name, state.Length == 0 ? "not-found" : "loaded", state.Length == 0 ? "inactive" : state, SubStates.GetValueOrDefault(name, "x"), "", new ObjectPath("/u"), 0u, "", new ObjectPath("/") };
}
