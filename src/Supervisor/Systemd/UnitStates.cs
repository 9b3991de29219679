using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Systemd;

/// <summary>
/// What units were when systemd last announced them. It announces more than changes of state: a unit at rest is loaded anew when
/// somebody asks for it, and whoever asks at every announcement would never end.
/// </summary>
internal sealed class UnitStates
{
    /// <summary>Units of one run come and go under new names. Forgotten ones count as changed once more.</summary>
    private const int MostKnown = 2000;

    private readonly Dictionary<string, string> _known = new(StringComparer.Ordinal);

    /// <summary>Whether an announcement says something new.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="properties">The changed properties, as the bus gives them.</param>
    public bool IsNew(string unit, object properties)
    {
        if (Text(properties, "ActiveState") is not { } active) return true;
        var state = $"{active}/{Text(properties, "SubState")}";
        if (_known.TryGetValue(unit, out var before) && before == state) return false;
        if (_known.Count >= MostKnown) _known.Clear();
        _known[unit] = state;
        return true;
    }

    private static string? Text(object properties, string name) =>
        properties is Dictionary<object, object> all && all.TryGetValue(name, out var value) ? (value is Variant variant ? variant.Value : value) as string : null;
}
