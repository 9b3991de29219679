using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Supervisor.Service;
using static Appliance.Supervisor.Control.ControlCommands;

namespace Appliance.Supervisor.Control;

/// <summary><c>appliancectl workloads</c>: the releases of what runs on the device.</summary>
internal static class WorkloadCommands
{
    /// <summary>The command.</summary>
    public static Command Create() => new("workloads", $"""
        Looks after the workloads: what runs in containers, release by release.

        Example:
          {ProgramName} workloads list
          {ProgramName} workloads apply shop
        """)
    {
        List(),
        Status(),
        Check(),
        Apply(),
        OnOne("rollback", "Goes back to the release before, which is still here.", "RollBackWorkload"),
        OnOne("remove", "Takes a workload away. Volumes stay, unless their annotation lets them go.", "RemoveWorkload"),
        Logs(),
    };

    private static Command List()
    {
        var command = new Command("list", $"Lists the workloads with their versions.\n\nExample:\n  {ProgramName} workloads list");
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var workloads = (await supervisor.ReadAsync())["workloads"] as JsonArray ?? [];
            if (result.GetValue(Json)) Print(workloads);
            else if (workloads.Count == 0) Console.WriteLine("There is no workload here.");
            else foreach (var workload in workloads) Console.WriteLine($"{workload!["id"]}  {workload["version"] ?? "none"}{(workload["previous"] is { } previous ? $" (before: {previous})" : "")}  {Words((JsonObject)workload)}");
            return Done;
        }));
        return command;
    }

    private static Command Status()
    {
        var id = Id();
        var command = new Command("status", $"Shows a workload and how far each of its objects is.\n\nExample:\n  {ProgramName} workloads status shop") { id };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var workload = await supervisor.ReadWorkloadAsync(result.GetRequiredValue(id));
            if (result.GetValue(Json)) Print(workload);
            else Write(workload, Console.Out);
            return workload["trouble"] is null && (workload["objects"] as JsonArray ?? []).All(found => (string?)found!["state"] == "ready") ? Done : Failed;
        }));
        return command;
    }

    private static Command Check()
    {
        var id = Id();
        var (source, channel) = (Text("--source", "A repository or bundle instead of the device's own repository."), Text("--channel", "A channel instead of the device's own."));
        var command = new Command("check", $"Looks for a release, and says what it would download.\n\nExample:\n  {ProgramName} workloads check shop") { id, source, channel };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, supervisor =>
            JobAsync(supervisor, new JobOrder { Method = "CheckWorkload", Workload = result.GetRequiredValue(id), Source = result.GetValue(source), Channel = result.GetValue(channel) }, result.GetValue(Json), cancellationToken)));
        return command;
    }

    private static Command Apply()
    {
        var what = new Argument<string>("workload") { Description = "A workload's id, a bundle, or - for a bundle on standard input." };
        var (source, version, channel) = (Text("--source", "A repository instead of the device's own."), Text("--version", "A version instead of the newest."), Text("--channel", "A channel instead of the device's own."));
        var force = new Option<bool>("--force") { Description = "Applies a version that failed before, an older one, or the same again." };
        var command = new Command("apply", $"""
            Applies a release: in the end the new one runs and is ready, or the old one runs again.

            Example:
              {ProgramName} workloads apply shop --version 1.4
              ssh root@device {ProgramName} workloads apply - < shop.bundle
            """) { what, source, version, channel, force };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, supervisor =>
        {
            var given = result.GetRequiredValue(what);
            // An id is no path, and a bundle in this folder can be said as ./shop.
            var isBundle = given == JobOrder.StandardInput || given.Contains('/') || given.EndsWith(BundleRules.Extension, StringComparison.Ordinal);
            if (isBundle && result.GetValue(source) is not null) throw new UserError("A bundle is its own source.", "Leave out --source.");
            return JobAsync(supervisor, new JobOrder
            {
                Method = "ApplyWorkload",
                Workload = isBundle ? null : given,
                Source = isBundle ? given : result.GetValue(source),
                Version = result.GetValue(version),
                Channel = result.GetValue(channel),
                Force = result.GetValue(force),
            }, result.GetValue(Json), cancellationToken);
        }));
        return command;
    }

    private static Command OnOne(string name, string description, string method)
    {
        var id = Id();
        var command = new Command(name, $"{description}\n\nExample:\n  {ProgramName} workloads {name} shop") { id };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, supervisor =>
            JobAsync(supervisor, new JobOrder { Method = method, Workload = result.GetRequiredValue(id) }, result.GetValue(Json), cancellationToken)));
        return command;
    }

    private static Command Logs()
    {
        var id = Id();
        var container = Text("--container", "Only this container's.");
        var lines = new Option<int>("--lines") { Description = "How many of each container, the latest ones.", DefaultValueFactory = _ => 100 };
        var command = new Command("logs", $"Shows what a workload's containers printed last.\n\nExample:\n  {ProgramName} workloads logs shop --container web") { id, container, lines };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var log = await supervisor.ReadWorkloadLogAsync(result.GetRequiredValue(id), result.GetValue(container), result.GetValue(lines));
            if (result.GetValue(Json)) Print(new JsonArray([.. log.Select(line => JsonValue.Create(line))]));
            else foreach (var line in log) Console.WriteLine(LogCommand.Plain(line));
            return Done;
        }));
        return command;
    }

    private static Argument<string> Id() => new("id") { Description = "The workload's id." };

    private static void Write(JsonObject workload, TextWriter output)
    {
        output.WriteLine($"{workload["id"]}  {workload["version"] ?? "none"}  {Words(workload)}");
        if (workload["previous"] is { } previous) output.WriteLine($"before: {previous}");
        if (workload["included"] is { } included) output.WriteLine($"of the image: {included}");
        if (workload["trouble"] is { } trouble) output.WriteLine($"its objects are not known: {trouble}");
        foreach (var found in workload["objects"] as JsonArray ?? []) output.WriteLine(LogCommand.Plain($"  {found!["object"],-40} {found["state"],-10} {found["message"]}"));
    }

    /// <summary>What is under way, or how the last application ended.</summary>
    private static string Words(JsonObject workload)
    {
        if ((string?)workload["state"] is not ("idle" or null) and var state) return $"{state} {workload["trialVersion"]}";
        if (workload["lastOutcome"] is not { } outcome) return "";
        var at = BusValues.Time(workload["lastAt"]!).UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
        return $"{outcome} {workload["lastVersion"]} at {at}{((string?)workload["lastDetail"] is { Length: > 0 } detail ? $": {detail}" : "")}";
    }
}
