using Appliance.Supervisor.Bus;

namespace Supervisor.Tests;

/// <summary>A D-Bus peer that answers as systemd's manager does, with units and jobs of the test's choice.</summary>
internal sealed class FakeSystemd(BusConnection bus)
{
    private const string UnitPath = "/org/freedesktop/systemd1/unit/any_2eservice";
    private const string Path = "/org/freedesktop/systemd1", Interface = "org.freedesktop.systemd1.Manager";

    public Dictionary<string, string> Units { get; } = [];
    public List<string> Jobs { get; } = [];

    public async Task StartAsync()
    {
        const string unitList = "a(ssssssouso)", jobList = "a(usssoo)";
        await bus.ExportAsync(Path, Interface,
            [
                new("ListUnitsFiltered", "as", unitList, ["states", "units"], arguments => [List(unit => ((List<object>)arguments[0]).Contains(unit.Value))]),
                new("ListUnitsByNames", "as", unitList, ["names", "units"], arguments => [((List<object>)arguments[0]).Select(name => Unit((string)name, Units.GetValueOrDefault((string)name, "inactive"))).ToList()]),
                new("ListJobs", "", jobList, ["jobs"], _ => [Jobs.Select(unit => (object)new object[] { 1u, unit, "start", "waiting", new ObjectPath("/j"), new ObjectPath("/u") }).ToList()]),
                new("Subscribe", "", "", [], _ => []),
            ], []);
        await bus.ExportAsync(UnitPath, "org.freedesktop.systemd1.Unit", [], [new("ActiveState", "s", () => "active")]);
        await bus.RequestNameAsync("org.freedesktop.systemd1");
    }

    /// <summary>A unit's state changed: what systemd announces then.</summary>
    public Task AnnounceChangeAsync() => bus.EmitPropertiesChangedAsync(UnitPath, "org.freedesktop.systemd1.Unit", ["ActiveState"]);

    private List<object> List(Func<KeyValuePair<string, string>, bool> filter) => Units.Where(filter).Select(unit => Unit(unit.Key, unit.Value)).ToList();

    private static object Unit(string name, string state) =>
        new object[] { name, name, "loaded", state, "x", "", new ObjectPath("/u"), 0u, "", new ObjectPath("/") };
}
