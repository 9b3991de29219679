using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Fleet;
using Appliance.ImageBuilder.Tools;
using Appliance.UpdateClient.Sources;

namespace Appliance.ImageBuilder.Fleet;

/// <summary>The verb <c>appliance push</c>: a bundle straight to devices, and how it goes there; for devices on the bench.</summary>
internal static class PushCommand
{
    private const int LatestActions = 20;
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var bundle = new Argument<string>("bundle") { Description = "A bundle with its signatures, as appliance bundle makes it." };
        var devices = new Option<string[]>("--device") { Description = "Id of a device of the update server; may be given several times.", Required = true };
        var (wait, options) = (new Option<bool>("--no-wait") { Description = "Ends when the devices have been told." }, new FleetOptions());
        var command = new Command("push", """
            Sends a bundle to the update server, has devices install it at once, and tells how it goes. Connected devices begin within a
            second. Exit code 0: every device runs it; 1: some device does not.

            Example:
              appliance push edge_1.1_amd64.bundle --device bench-1
            """) { bundle, devices, wait };
        options.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            using var client = options.Open(result);
            var json = options.Json(result);
            var release = await SendAsync(client, result.GetValue(bundle)!, json, cancellationToken);
            var actions = new List<(string Device, long Action)>();
            foreach (var device in result.GetValue(devices)!.Distinct(StringComparer.Ordinal))
                actions.Add((device, (long)(await client.SendAsync(HttpMethod.Post, $"devices/{Uri.EscapeDataString(device)}/actions", new JsonObject { ["release"] = release, ["forced"] = true }, cancellationToken))!));
            return result.GetValue(wait) || await WatchAsync(client, actions, json, cancellationToken) ? 0 : 1;
        });
        return command;
    }

    /// <summary>Sends the bundle; gives the number of its release.</summary>
    private static async Task<long> SendAsync(FleetClient client, string path, bool json, CancellationToken cancellationToken)
    {
        if (!File.Exists(path)) throw new UserError($"There is no {path}.", "Name a bundle: appliance bundle makes one of a repository.");
        BundleHeader claims;
        await using (var source = (BundleSource)await RepositoryLocation.OpenAsync(path, null, cancellationToken)) claims = source.Claims;
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.Asynchronous | FileOptions.SequentialScan);
        var (progress, done) = (new TransferProgress(json), 0L);
        await using var counted = new CountedStream(file, read => progress.Show("sending", done += read, file.Length));
        var part = claims.Kind == BundleKind.Workload ? DdiWords.ApplicationPart : DdiWords.SystemPart;
        var answer = await client.UploadAndReadAsync($"releases/{Uri.EscapeDataString(claims.Id)}/{Uri.EscapeDataString(claims.Version)}/files/{Uri.EscapeDataString($"{claims.Id}_{claims.Version}{BundleRules.Extension}")}?part={part}", counted, cancellationToken);
        if (!json && !Console.IsErrorRedirected) Console.Error.WriteLine();
        return (long)answer!["id"]!;
    }

    /// <summary>Tells what the devices say until all have come to an end; true when all of them run it.</summary>
    private static async Task<bool> WatchAsync(FleetClient client, IReadOnlyList<(string Device, long Action)> actions, bool json, CancellationToken cancellationToken)
    {
        var told = actions.ToDictionary(action => action.Action, _ => 0);
        while (true)
        {
            var (running, failed) = (false, false);
            foreach (var (device, action) in actions)
            {
                var row = (await client.GetAsync($"devices/{Uri.EscapeDataString(device)}/actions?take={LatestActions}", cancellationToken))!.AsArray().FirstOrDefault(row => (long)row!["id"]! == action)
                    ?? throw new UserError($"The server knows action {action} of {device} no longer.");
                var messages = row["messages"]!.AsArray();
                foreach (var message in messages.Skip(told[action]))
                    Console.WriteLine(json ? new JsonObject { ["device"] = device, ["action"] = action, ["state"] = row["state"]!.DeepClone(), ["message"] = message!.DeepClone() }.ToJsonString() : PlainText.Clean($"{device}: {message}"));
                told[action] = Math.Max(told[action], messages.Count);
                running |= (bool)row["active"]!;
                failed |= !(bool)row["active"]! && (string?)row["state"] != "finished";
            }
            if (!running) return !failed;
            await Task.Delay(Pace, cancellationToken);
        }
    }
}
