using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;

namespace Appliance.ImageBuilder.Fleet;

/// <summary>The verbs <c>appliance fleet …</c>: an update server from the command line.</summary>
internal static class FleetCommand
{
    private static readonly string[] RolloutVerbs = ["approve", "start", "pause", "resume", "retry", "cancel"];
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(2);

    /// <summary>Makes the command with its verbs.</summary>
    public static Command Create() => new("fleet", """
        Works with the devices, releases and rollouts of an update server (docs/server.md).

        Examples:
          export APPLIANCE_SERVER=https://updates.example:8443 APPLIANCE_SERVER_KEY=apk_…
          appliance fleet devices --filter 'board=vm-x86_64 health=unhealthy'
          appliance fleet rollout create "1.2 for Berlin" --release 7 --filter label.site=berlin --start
          appliance fleet rollout watch 3
        """)
    { Overview(), Devices(), Device(), Assign(), Rotate(), Label(), Log(), Releases(), Rollouts(), Rollout(), Audit() };

    private static Command Overview() => Verb("overview", "Counts the fleet.", "appliance fleet overview", [], (_, client, stop) => client.GetAsync("overview", stop), answer =>
    {
        FleetTable.Say($"{answer["devices"]} devices, {answer["silent"]} silent, {answer["connected"]} connected, {answer["failedToday"]} failures in 24 hours");
        if ((int?)answer["certificatesExpiring"] is > 0 and var expiring) FleetTable.Say($"  certificates that end within 7 days and were not renewed: {expiring}");
        if (answer["authorityEndsAt"] is { } end) FleetTable.Say($"  the authority that issues certificates ends: {FleetTable.Moment(end)}");
        foreach (var (name, key) in new[] { ("version", "versions"), ("health", "health"), ("under way", "actions") })
            foreach (var share in answer[key]!.AsArray()) FleetTable.Say($"  {name} {share!["name"]}: {share["count"]}");
    });

    private static Command Devices()
    {
        var filter = new Option<string>("--filter") { Description = "Conditions that must all hold: board=vm-x86_64 label.site=berlin|paris id=edge-* health=unhealthy.", DefaultValueFactory = _ => "" };
        var (skip, take) = (Number("--skip", "Leaves out so many.", 0), Number("--take", "Shows at most so many.", 50));
        return Verb("devices", "Lists devices, the most recently seen first.", "appliance fleet devices --filter health=unhealthy", [filter, skip, take],
            (result, client, stop) => client.GetAsync($"devices?filter={Uri.EscapeDataString(result.GetValue(filter)!)}&skip={result.GetValue(skip)}&take={result.GetValue(take)}", stop), answer =>
            {
                FleetTable.Print(answer["devices"]!.AsArray(), ("DEVICE", row => Text(row["id"])), ("HEALTH", row => Text(row["health"])), ("VERSION", row => Text(row["attributes"]!["version"])), ("BOARD", row => Text(row["attributes"]!["board"])), ("LAST SEEN (UTC)", row => FleetTable.Moment(row["lastSeenAt"])));
                FleetTable.Say($"{answer["total"]} in all");
            });
    }

    private static Command Device()
    {
        var id = Id("device");
        return Verb("device", "Shows one device and what it was given.", "appliance fleet device edge-12", [id], async (result, client, stop) =>
        {
            var path = $"devices/{Uri.EscapeDataString(result.GetValue(id)!)}";
            var device = (JsonObject)(await client.GetAsync(path, stop))!;
            device["actions"] = (await client.GetAsync($"{path}/actions", stop))!.DeepClone();
            return device;
        }, answer =>
        {
            FleetTable.Say($"{answer["id"]} is {answer["health"]}{(answer["healthReason"] is { } reason ? $": {reason}" : "")}; last seen {FleetTable.Moment(answer["lastSeenAt"])}");
            foreach (var (key, value) in answer["attributes"]!.AsObject()) FleetTable.Say($"  {key}: {value}");
            FleetTable.Print(answer["actions"]!.AsArray(), ("ACTION", row => Text(row["id"])), ("RELEASE", row => Text(row["release"])), ("STATE", row => Text(row["state"])), ("SINCE (UTC)", row => FleetTable.Moment(row["changedAt"])), ("WHAT WAS SAID", row => Text(row["detail"])));
        });
    }

    private static Command Assign()
    {
        var (id, release) = (Id("device"), new Option<long>("--release") { Description = "Number of the release (appliance fleet releases).", Required = true });
        var (forced, confirm) = (new Option<bool>("--forced") { Description = "The device does it at once." }, new Option<bool>("--confirm") { Description = "Somebody at the device must agree." });
        var window = new Option<string?>("--window") { Description = "When it may be installed, UTC: Mon-Fri 01:00-04:00." };
        return Verb("assign", "Gives a device a release.", "appliance fleet assign edge-12 --release 7 --forced", [id, release, forced, confirm, window],
            async (result, client, stop) => new JsonObject { ["action"] = (await client.SendAsync(HttpMethod.Post, $"devices/{Uri.EscapeDataString(result.GetValue(id)!)}/actions", new JsonObject { ["release"] = result.GetValue(release), ["forced"] = result.GetValue(forced), ["confirm"] = result.GetValue(confirm), ["window"] = result.GetValue(window) }, stop))!.DeepClone() },
            answer => FleetTable.Say($"It is action {answer["action"]}."));
    }

    private static Command Rotate()
    {
        var credential = new Argument<string>("credential") { Description = "Name of the credential, such as ssh-host-key; all for every one." };
        var (device, forced) = (new Option<string?>("--device") { Description = "The device that does it; without it, the rotation is for `fleet rollout create`." }, new Option<bool>("--forced") { Description = "The device does it at once." });
        var file = new Option<string?>("--file") { Description = "The new one, signed: a list for ssh-authorized-keys. Without it, devices make it." };
        return Verb("rotate", "Makes a rotation of a credential, for a device or for a rollout.", "appliance fleet rotate ssh-host-key --device edge-12", [credential, device, forced, file], async (result, client, stop) =>
        {
            if (result.GetValue(forced) && result.GetValue(device) is null) throw new UserError("--forced is for a device.", "Name it with --device, or leave --forced to the rollout.");
            if (result.GetValue(file) is { } path) return await BringAsync(client, result.GetValue(credential)!, path, result.GetValue(device), result.GetValue(forced), stop);
            if (result.GetValue(device) is not { } id) return await client.SendAsync(HttpMethod.Post, "rotations", new JsonObject { ["credential"] = result.GetValue(credential) }, stop);
            var given = (await client.SendAsync(HttpMethod.Post, $"devices/{Uri.EscapeDataString(id)}/rotations", new JsonObject { ["credential"] = result.GetValue(credential), ["forced"] = result.GetValue(forced) }, stop))!;
            var rotation = given["rotation"]!.DeepClone();
            rotation["action"] = given["action"]!.DeepClone();
            return rotation;
        }, answer => FleetTable.Say(answer["action"] is { } action ? $"It is action {action}." : $"It is release {answer["id"]}: appliance fleet rollout create NAME --release {answer["id"]}"));
    }

    /// <summary>Sends the new credential to the server. A list of keys is numbered by whoever signed it.</summary>
    private static async Task<JsonNode?> BringAsync(FleetClient client, string credential, string path, string? device, bool forced, CancellationToken cancellationToken)
    {
        if (credential != CredentialNames.SshAuthorizedKeys) throw new UserError($"A server cannot bring a new {credential}.", $"Only what is signed is taken from it, {CredentialNames.SshAuthorizedKeys}; other things are brought to the device itself (appliancectl credentials set).");
        var content = ReadList(path);
        var list = AuthorizedKeys.Parse(AuthorizedKeys.Split(content).Text);
        var made = (await client.UploadAndReadAsync($"releases/{credential}/{list.Serial}/files/list?part={DdiWords.RotationPart}", new MemoryStream(content), cancellationToken))!;
        if (device is not null) made["action"] = (await client.SendAsync(HttpMethod.Post, $"devices/{Uri.EscapeDataString(device)}/actions", new JsonObject { ["release"] = made["id"]!.DeepClone(), ["forced"] = forced }, cancellationToken))!.DeepClone();
        return made;
    }

    private static byte[] ReadList(string path)
    {
        try
        {
            if (new FileInfo(path).Length > CredentialSettings.LargestGiven) throw new UserError($"{path} is larger than {ByteSize.Format(CredentialSettings.LargestGiven)}.", "It is the signed list and nothing else.");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }

    private static Command Label()
    {
        var (id, label, value) = (Id("device"), new Argument<string>("label") { Description = "Name of the label." }, new Argument<string>("value") { Description = "Its value; an empty one takes it away." });
        return Verb("label", "Labels a device; filters find it by label.NAME=VALUE.", "appliance fleet label edge-12 site berlin", [id, label, value],
            (result, client, stop) => client.SendAsync(HttpMethod.Put, $"devices/{Uri.EscapeDataString(result.GetValue(id)!)}/labels/{Uri.EscapeDataString(result.GetValue(label)!)}", new JsonObject { ["value"] = result.GetValue(value) }, stop), _ => { });
    }

    private static Command Log()
    {
        var (id, take, priority) = (Id("device"), Number("--take", "Shows at most so many lines.", 200), Number("--priority", "The least that a line matters, 0 (emergency) to 7 (debug).", 7));
        return Verb("log", "Shows lines of a device's log that it has sent, the oldest first.", "appliance fleet log edge-12 --priority 4", [id, take, priority],
            (result, client, stop) => client.GetAsync($"devices/{Uri.EscapeDataString(result.GetValue(id)!)}/log?take={result.GetValue(take)}&priority={result.GetValue(priority)}", stop), answer =>
            {
                foreach (var line in answer.AsArray().Reverse()) FleetTable.Say($"{FleetTable.Moment(line!["at"])} {line["unit"]}: {line["text"]}");
            });
    }

    private static Command Releases() => Verb("releases", "Lists releases, the newest first.", "appliance fleet releases", [], (_, client, stop) => client.GetAsync("releases", stop), answer =>
        FleetTable.Print(answer.AsArray(), ("RELEASE", row => Text(row["id"])), ("NAME", row => Text(row["name"])), ("VERSION", row => Text(row["version"])), ("KIND", row => Text(row["kind"])), ("FOR", row => Text(row["board"])), ("CHANNEL", row => Text(row["channel"])),
            ("WHOLE", row => ByteSize.Format(row["files"]!.AsArray().Sum(file => (long)file!["size"]!))), ("BY PATCHES", row => string.Join(", ", row["deltas"]!.AsArray().Select(delta => $"{ByteSize.Format((long)delta!["size"]!)} from {delta["from"]}"))), ("OFFERED", row => (bool)row["available"]! ? "yes" : "no")));

    private static Command Rollouts() => Verb("rollouts", "Lists rollouts, the newest first.", "appliance fleet rollouts", [], (_, client, stop) => client.GetAsync("rollouts", stop), answer =>
        FleetTable.Print(answer.AsArray(), ("ROLLOUT", row => Text(row["id"])), ("NAME", row => Text(row["name"])), ("RELEASE", row => Text(row["release"])), ("STATE", row => Text(row["state"])), ("RUN IT", row => $"{Sum(row, "finished")} of {Sum(row, "total")}"), ("FAILED", row => $"{Sum(row, "failed")}"), ("WHY", row => Text(row["reason"]))));

    private static Command Rollout()
    {
        var command = new Command("rollout", """
            Makes a rollout, and starts, watches and stops it.

            Examples:
              appliance fleet rollout create "1.2 for Berlin" --release 7 --filter label.site=berlin --group 5 --group 10% --start
              appliance fleet rollout pause 3
            """) { CreateRollout(), Show(), Watch() };
        foreach (var verb in RolloutVerbs)
        {
            var id = RolloutNumber();
            command.Add(Verb(verb, RolloutHelp(verb), $"appliance fleet rollout {verb} 3", [id], (result, client, stop) => client.SendAsync(HttpMethod.Post, $"rollouts/{result.GetValue(id)}/{verb}", verb == "pause" ? [] : null, stop), _ => { }));
        }
        return command;
    }

    private static Command CreateRollout()
    {
        var (name, release) = (new Argument<string>("name") { Description = "Name of the rollout." }, new Option<long>("--release") { Description = "Number of the release (appliance fleet releases).", Required = true });
        var filter = new Option<string>("--filter") { Description = "Which devices; all without it.", DefaultValueFactory = _ => "" };
        var groups = new Option<string[]>("--group") { Description = "Size of a group, as a number or a share; may be repeated. What is left is the last group (default: 1% and 10%).", AllowMultipleArgumentsPerToken = true };
        var (success, error, retries) = (Number("--success", "Share of a group that must have succeeded before the next one, %.", 90), Number("--error", "Share of a group whose failure pauses the rollout, %.", 10), Number("--retries", "Tries more for a device that failed.", 0));
        var window = new Option<string?>("--window") { Description = "When devices may install it, UTC: Mon-Fri 01:00-04:00." };
        var (forced, confirm, approval, start) = (new Option<bool>("--forced") { Description = "Devices do it at once." }, new Option<bool>("--confirm") { Description = "Somebody at each device must agree." }, new Option<bool>("--approval") { Description = "Somebody else must approve it." }, new Option<bool>("--start") { Description = "Starts it, too." });
        return Verb("create", "Makes a rollout.", "appliance fleet rollout create \"1.2 for Berlin\" --release 7 --filter label.site=berlin --start", [name, release, filter, groups, success, error, retries, window, forced, confirm, approval, start], async (result, client, stop) =>
        {
            if (result.GetValue(start) && result.GetValue(approval)) throw new UserError("A rollout that somebody else must approve cannot be started yet.", "Leave --start or --approval out.");
            var plan = new JsonObject
            {
                ["name"] = result.GetValue(name),
                ["release"] = result.GetValue(release),
                ["filter"] = result.GetValue(filter),
                ["successPercent"] = result.GetValue(success),
                ["errorPercent"] = result.GetValue(error),
                ["retries"] = result.GetValue(retries),
                ["window"] = result.GetValue(window),
                ["forced"] = result.GetValue(forced),
                ["confirm"] = result.GetValue(confirm),
                ["approval"] = result.GetValue(approval),
            };
            if (result.GetValue(groups) is { Length: > 0 } sizes) plan["groups"] = new JsonArray([.. sizes.Select(size => JsonValue.Create(size))]);
            var made = (await client.SendAsync(HttpMethod.Post, "rollouts", plan, stop))!;
            if (result.GetValue(start)) await StartAsync(client, (long)made["id"]!, stop);
            return made;
        }, answer => FleetTable.Say($"It is rollout {answer["id"]}."));
    }

    /// <summary>Starts a rollout that was just made.</summary>
    /// <exception cref="UserError">It could not be started; the message names the rollout, so that nobody makes another one.</exception>
    private static async Task StartAsync(FleetClient client, long rollout, CancellationToken cancellationToken)
    {
        try
        {
            await client.SendAsync(HttpMethod.Post, $"rollouts/{rollout}/start", null, cancellationToken);
        }
        catch (UserError e)
        {
            throw new UserError($"Rollout {rollout} was made but could not be started: {e.Message}", $"appliance fleet rollout start {rollout}", e);
        }
    }

    private static Command Show()
    {
        var id = RolloutNumber();
        return Verb("show", "Shows a rollout with its groups, and the devices on which it failed.", "appliance fleet rollout show 3", [id], async (result, client, stop) =>
        {
            var rollout = (JsonObject)(await client.GetAsync($"rollouts/{result.GetValue(id)}", stop))!;
            rollout["failedDevices"] = (await client.GetAsync($"rollouts/{result.GetValue(id)}/devices?state=failed", stop))!.DeepClone();
            return rollout;
        }, answer =>
        {
            FleetTable.Say(Line(answer));
            FleetTable.Print(answer["groups"]!.AsArray(), ("GROUP", row => Text(row["number"])), ("DEVICES", row => Text(row["total"])), ("RUN IT", row => Text(row["finished"])), ("FAILED", row => Text(row["failed"])), ("AT IT", row => Text(row["running"])), ("CALLED OFF", row => Text(row["canceled"])));
            foreach (var device in answer["failedDevices"]!.AsArray()) FleetTable.Say($"  {device!["device"]}: {device["reason"]}");
        });
    }

    private static Command Watch()
    {
        var (id, options) = (RolloutNumber(), new FleetOptions());
        var command = new Command("watch", """
            Tells how a rollout goes until it is over. Exit code 0: every device runs it; 1: it paused, was called off, or failed somewhere.

            Example:
              appliance fleet rollout watch 3
            """) { id };
        options.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            using var client = options.Open(result);
            for (var last = ""; ;)
            {
                var rollout = (await client.GetAsync($"rollouts/{result.GetValue(id)}", cancellationToken))!;
                var said = options.Json(result) ? rollout.ToJsonString() : PlainText.Clean(Line(rollout));
                if (said != last) Console.WriteLine(last = said);
                if ((string?)rollout["state"] is "finished" or "paused" or "canceled") return (string?)rollout["state"] == "finished" && Sum(rollout, "failed") == 0 ? 0 : 1;
                await Task.Delay(Pace, cancellationToken);
            }
        });
        return command;
    }

    private static Command Audit()
    {
        var take = Number("--take", "Shows at most so many.", 50);
        return Verb("audit", "Says who did what, the newest first.", "appliance fleet audit", [take], (result, client, stop) => client.GetAsync($"audit?take={result.GetValue(take)}", stop), answer =>
            FleetTable.Print(answer.AsArray(), ("WHEN (UTC)", row => FleetTable.Moment(row["at"])), ("WHO", row => Text(row["who"])), ("WHAT", row => Text(row["what"])), ("WITH WHAT", row => Text(row["subject"])), ("MORE", row => Text(row["detail"]))));
    }

    private static Command Verb(string name, string help, string example, IReadOnlyList<Symbol> symbols, Func<ParseResult, FleetClient, CancellationToken, Task<JsonNode?>> ask, Action<JsonNode> show)
    {
        var options = new FleetOptions();
        var command = new Command(name, $"{help}\n\nExample:\n  {example}");
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument) command.Add(argument);
            else command.Add((Option)symbol);
        }
        options.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            using var client = options.Open(result);
            var answer = await ask(result, client, cancellationToken);
            if (options.Json(result)) Console.WriteLine(answer?.ToJsonString() ?? "{}");
            else if (answer is not null) show(answer);
            return 0;
        });
        return command;
    }

    private static string Line(JsonNode rollout) => $"{rollout["name"]}: {rollout["state"]}, {Sum(rollout, "finished")} of {Sum(rollout, "total")} run it, {Sum(rollout, "failed")} failed, {Sum(rollout, "running")} are at it{(rollout["reason"] is { } reason ? $" ({reason})" : "")}";

    private static int Sum(JsonNode rollout, string what) => rollout["groups"]!.AsArray().Sum(group => (int)group![what]!);

    private static string? Text(JsonNode? value) => value?.ToString();

    private static Argument<string> Id(string what) => new(what) { Description = "The device's id." };

    private static Argument<long> RolloutNumber() => new("rollout") { Description = "Number of the rollout." };

    private static Option<int> Number(string name, string help, int usual) => new(name) { Description = help, DefaultValueFactory = _ => usual };

    private static string RolloutHelp(string verb) => verb switch
    {
        "approve" => "Lets a rollout start that somebody else made.",
        "start" => "Starts the first group.",
        "pause" => "Starts no further group.",
        "resume" => "Goes on.",
        "retry" => "Tries the devices that failed once more.",
        _ => "Calls it off.",
    };
}
