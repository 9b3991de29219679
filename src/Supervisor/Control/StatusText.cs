using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Service;

namespace Appliance.Supervisor.Control;

/// <summary>What the supervisor says of itself, in words.</summary>
internal static class StatusText
{
    /// <summary>Writes the whole picture.</summary>
    public static void WriteStatus(JsonObject state, TextWriter output)
    {
        output.WriteLine($"{state["id"]} {state["version"]} on {state["board"]}, slot {state["slot"]}, {state["health"]}");
        if ((string?)state["health"] != "healthy") WriteList(state["healthReasons"], output);
        output.WriteLine($"Update: {Update(state)}");
        if (state["lastCheck"] is JsonObject { Count: > 0 } check)
            output.WriteLine($"Last look: {Moment(check["at"])}, {Verdict(check)}");
        output.WriteLine("Slots:");
        foreach (var slot in Items(state["slots"]))
            output.WriteLine($"  {slot["name"]}  {slot["version"] ?? "-",-20} {Slot(slot)}");
        foreach (var failed in Items(state["failedVersions"]))
            output.WriteLine($"Not kept: {failed["version"]} ({Moment(failed["at"])}): {failed["reason"]}");
        if (state["rollbackDiscards"] is JsonObject { Count: > 0 } loss)
            output.WriteLine($"If {loss["from"]} is not kept: what was written since {Moment(loss["since"])} to {Paths(loss)} is discarded");
        if (state["lastRestore"] is JsonObject { Count: > 0 } restore)
            output.WriteLine($"State of {restore["to"]} put back ({Moment(restore["at"])}): what {restore["from"]} had written since {Moment(restore["since"])} to {Paths(restore)} was discarded, {ByteSize.Format((long)(ulong)restore["bytes"]!)}");
    }

    /// <summary>Writes what is new in the version that can be installed, where its publisher says so.</summary>
    public static void WriteNotes(JsonObject state, TextWriter output)
    {
        if (state["lastCheck"] is not JsonObject { Count: > 0 } check || (string?)check["verdict"] != "available" || (string?)check["notes"] is not { } notes) return;
        output.WriteLine();
        output.WriteLine($"What is new in version {check["version"]}:");
        foreach (var line in notes.Split('\n')) output.WriteLine($"  {line}");
    }

    /// <summary>Writes the verdict and the checks, with what came before when asked to.</summary>
    public static void WriteHealth(JsonObject state, bool history, TextWriter output)
    {
        output.WriteLine((string?)state["health"]);
        WriteList(state["healthReasons"], output);
        output.WriteLine("Checks:");
        foreach (var check in Items(state["checks"]))
        {
            output.WriteLine($"  {check["name"],-24} {((bool)check["gate"]! ? "gate" : "warn")}  {check["state"],-8} {Moment(check["since"])}  {check["message"]}");
            if (!history) continue;
            foreach (var change in Items(check["history"]).Reverse().Skip(1)) output.WriteLine($"  {"",-31}{change["state"],-8} {Moment(change["at"])}  {change["message"]}");
        }
    }

    /// <summary>Writes what is wrong, and what to do.</summary>
    public static void WriteFindings(JsonArray findings, TextWriter output)
    {
        if (findings.Count == 0) output.WriteLine("nothing");
        foreach (var finding in Items(findings))
        {
            output.WriteLine($"{finding["severity"],-8} {finding["title"]} (since {Moment(finding["since"])})");
            output.WriteLine($"         {finding["explanation"]}");
            output.WriteLine($"         {finding["action"]}");
        }
    }

    /// <summary>Writes how updates ended, the latest first.</summary>
    public static void WriteHistory(JsonObject state, TextWriter output)
    {
        foreach (var entry in Items(state["history"]).Reverse())
            output.WriteLine($"{Moment(entry["at"])}  {entry["outcome"],-11} {entry["version"] ?? "-",-16} {entry["detail"]}");
    }

    private static string Paths(JsonObject loss) => string.Join(", ", (loss["paths"] as JsonArray ?? []).Select(path => (string?)path));

    private static string Update(JsonObject state) => (string?)state["updateState"] switch
    {
        "idle" => "nothing under way",
        "installed" => $"version {state["pendingVersion"]} is installed and waits for the restart",
        "probation" => $"version {state["pendingVersion"]} is on trial",
        "rebooting" => "the device restarts",
        var word => word ?? "unknown",
    };

    private static string Verdict(JsonObject check) => (string?)check["verdict"] switch
    {
        "upToDate" => "nothing newer",
        "available" => $"version {check["version"]} can be installed",
        "waiting" => $"version {check["version"]} waits for its rollout",
        "failedBefore" => $"version {check["version"]} was tried and not kept",
        _ => (string?)check["message"] ?? "failed",
    };

    private static string Slot(JsonObject slot)
    {
        var tries = (int?)slot["triesLeft"] ?? -1;
        var running = (bool?)slot["running"] == true ? ", running" : "";
        return $"{slot["state"]}{(tries >= 0 ? $", {tries} {(tries == 1 ? "try" : "tries")} left" : "")}{running}";
    }

    private static IEnumerable<JsonObject> Items(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();

    private static void WriteList(JsonNode? list, TextWriter output)
    {
        foreach (var item in list as JsonArray ?? []) output.WriteLine($"  {item}");
    }

    private static string Moment(JsonNode? microseconds) =>
        microseconds is null ? "-" : BusValues.Time(microseconds).ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
