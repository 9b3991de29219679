using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Bus;

/// <summary>Values of the bus as JSON, with the names of members in camel case.</summary>
internal static class BusJson
{
    /// <summary>Translates a value.</summary>
    public static JsonNode? Translate(object value) => value switch
    {
        Variant variant => Translate(variant.Value),
        ObjectPath path => JsonValue.Create(path.Value),
        string text => JsonValue.Create(text),
        bool flag => JsonValue.Create(flag),
        int number => JsonValue.Create(number),
        uint number => JsonValue.Create(number),
        long number => JsonValue.Create(number),
        ulong number => JsonValue.Create(number),
        double number => JsonValue.Create(number),
        Dictionary<object, object> dictionary => Translate(dictionary),
        IEnumerable<object> list => new JsonArray([.. list.Select(Translate)]),
        _ => JsonValue.Create(value.ToString()),
    };

    private static JsonObject Translate(Dictionary<object, object> dictionary)
    {
        var result = new JsonObject();
        foreach (var (key, value) in dictionary) result[JsonNamingPolicy.CamelCase.ConvertName(key.ToString()!)] = Translate(value);
        return result;
    }
}
