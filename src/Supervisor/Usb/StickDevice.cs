using System.Text.Json.Nodes;
using Appliance.Core;

namespace Appliance.Supervisor.Usb;

/// <summary>What a choice among bundles has to know of the device.</summary>
/// <param name="Id">Image id.</param>
/// <param name="Board">Board.</param>
/// <param name="Architecture">Debian architecture.</param>
/// <param name="Version">The version that runs.</param>
/// <param name="Pending">The version that is installed and waits for the restart, or null.</param>
/// <param name="Failed">Versions that were tried and not kept.</param>
internal sealed record StickDevice(string Id, string Board, string Architecture, string Version, string? Pending, IReadOnlyCollection<string> Failed)
{
    /// <summary>The device as the supervisor describes it on the bus.</summary>
    public static StickDevice Of(JsonObject state) => new(
        (string)state["id"]!,
        (string)state["board"]!,
        DebianArchitecture.Host,
        (string)state["version"]!,
        (string?)state["pendingVersion"] is { Length: > 0 } pending ? pending : null,
        (state["failedVersions"] as JsonArray ?? []).Select(failed => (string)failed!["version"]!).ToList());
}
