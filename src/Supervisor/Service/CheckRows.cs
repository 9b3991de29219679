using System.Text.Json.Nodes;

namespace Appliance.Supervisor.Service;

/// <summary>Gives the members of the properties <c>Checks</c> and <c>CheckHistory</c> their names, which the bus leaves out.</summary>
internal static class CheckRows
{
    /// <summary>Replaces both properties with one list of checks.</summary>
    public static void Name(JsonObject state)
    {
        var history = Rows(state["checkHistory"]).ToDictionary(row => (string)row[0]!, row => row[1]);
        var checks = Rows(state["checks"]).Select(row => (JsonNode)new JsonObject
        {
            ["name"] = row[0]!.DeepClone(),
            ["gate"] = row[1]!.DeepClone(),
            ["state"] = row[2]!.DeepClone(),
            ["message"] = row[3]!.DeepClone(),
            ["since"] = row[4]!.DeepClone(),
            ["history"] = new JsonArray([.. Rows(history.GetValueOrDefault((string)row[0]!)).Select(change => new JsonObject { ["at"] = change[0]!.DeepClone(), ["state"] = change[1]!.DeepClone(), ["message"] = change[2]!.DeepClone() })]),
        }).ToArray();
        state.Remove("checkHistory");
        state["checks"] = new JsonArray(checks);
    }

    private static IEnumerable<JsonArray> Rows(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonArray>();
}
