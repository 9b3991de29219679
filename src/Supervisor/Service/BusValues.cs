using System.Text.Json.Nodes;
using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Service;

/// <summary>How moments and bags of members look on the bus.</summary>
internal static class BusValues
{
    /// <summary>A moment, in microseconds since 1970.</summary>
    public static ulong Moment(DateTimeOffset time) => (ulong)Math.Max(0, time.ToUnixTimeMilliseconds()) * 1000;

    /// <summary>The moment that such a number means, as it stands in JSON.</summary>
    public static DateTimeOffset Time(JsonNode microseconds) => DateTimeOffset.FromUnixTimeMilliseconds((long)((ulong)microseconds / 1000));

    /// <summary>An <c>a{sv}</c>; members without a value are left out.</summary>
    public static Dictionary<object, object> Bag(params (string Name, object? Value)[] members)
    {
        var bag = new Dictionary<object, object>();
        foreach (var (name, value) in members)
        {
            if (value is null) continue;
            bag[name] = new Variant(value switch { string => "s", bool => "b", int => "i", ulong => "t", IReadOnlyList<string> => "as", IReadOnlyList<Dictionary<object, object>> => "aa{sv}", _ => throw new NotSupportedException(name) }, value);
        }
        return bag;
    }
}
