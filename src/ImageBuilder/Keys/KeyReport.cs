using System.Text.Json.Nodes;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;

namespace Appliance.ImageBuilder.Keys;

/// <summary>Shows keys as a table or as JSON.</summary>
internal static class KeyReport
{
    private const string Time = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    /// <summary>Shows a folder.</summary>
    public static void Show(KeyFolder folder, bool json)
    {
        var root = RootMetadata.Parse(folder.ReadRoot(), folder.RootPath);
        if (json)
        {
            Console.WriteLine(new JsonObject
            {
                ["folder"] = folder.Path,
                ["root"] = new JsonObject { ["version"] = root.Version, ["expires"] = root.Expires.ToString(Time) },
                ["thresholds"] = new JsonObject(root.Roles.Select(role => KeyValuePair.Create<string, JsonNode?>(role.Key, role.Value.Threshold))),
                ["keys"] = Keys(folder.Keys),
            }.ToJsonString());
            return;
        }
        Console.WriteLine($"{folder.RootPath}: version {root.Version}, expires {root.Expires.ToString(Time)}\n");
        foreach (var key in folder.Keys)
        {
            var note = key.IsPending ? "new, rotation not complete" : root.Roles.TryGetValue(key.Role, out var role) ? role.KeyIds.Contains(key.Key.Id) ? $"{role.Threshold} of {role.KeyIds.Count} sign" : "not in root.json" : "channel";
            Console.WriteLine($"{key.Role,-12} {key.Key.Id}  {Path.GetFileName(key.Path)}  ({note})");
        }
    }

    /// <summary>Shows what a rotation did.</summary>
    public static void Rotated(KeyRotation rotation, bool json)
    {
        if (json)
        {
            Console.WriteLine(new JsonObject
            {
                ["role"] = rotation.Role,
                ["rootVersion"] = rotation.RootVersion,
                ["completedInterrupted"] = rotation.Completed,
                ["keys"] = Keys(rotation.Keys),
                ["retired"] = Keys(rotation.Retired),
            }.ToJsonString());
            return;
        }
        Console.WriteLine($"{(rotation.Completed ? "Completed the interrupted rotation" : "Rotated the keys")} of {rotation.Role}; the newest root is version {rotation.RootVersion}.");
        foreach (var key in rotation.Keys) Console.WriteLine($"  now      {key.Key.Id}  {Path.GetFileName(key.Path)}");
        foreach (var key in rotation.Retired) Console.WriteLine($"  retired  {key.Key.Id}");
    }

    private static JsonArray Keys(IEnumerable<KeyFile> keys) =>
        [.. keys.Select(key => (JsonNode)new JsonObject { ["role"] = key.Role, ["keyId"] = key.Key.Id, ["file"] = Path.GetFileName(key.Path), ["pending"] = key.IsPending }).ToArray()];
}
