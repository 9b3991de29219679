using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Control;

/// <summary>The command line <c>appliancectl</c>: for the device it runs on, or with <c>--host</c> for another.</summary>
internal static class ControlCommands
{
    /// <summary>The name under which the program is this and not the daemon.</summary>
    public const string ProgramName = "appliancectl";

    /// <summary>An exit code.</summary>
    public const int Done = 0, Failed = 1, Refused = 2;

    /// <summary>Has every command speak to machines.</summary>
    public static readonly Option<bool> Json = new("--json") { Description = "JSON for machines instead of words.", Recursive = true };
    private static readonly Option<string?> Host = new("--host") { Description = "Another device, by its name or address (and port), over HTTPS. Log in first.", HelpName = "device", Recursive = true };

    /// <summary>Runs a command line and gives its exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var parsed = Build().Parse(args);
        var code = await parsed.InvokeAsync();
        return parsed.Action is ParseErrorAction ? Refused : code;
    }

    private static RootCommand Build() => new($"""
        Looks after this device: its health, its versions, its updates.

        Example:
          {ProgramName} status
          {ProgramName} --host edge-7.local login

        Exit codes: 0 done (health: healthy; findings: no error), 1 it failed (health: not healthy; findings: an error), 2 refused or
        misunderstood.
        """)
    {
        Json,
        Host,
        LogIn(),
        LogOut(),
        Simple("status", "Shows the version that runs, both slots, health and updates.", ShowStatus),
        Health(),
        Findings(),
        Check(),
        Install(),
        Acting("cancel", "Stops the job that is under way.", "Cancel"),
        Restart("reboot", "Restarts the device, into the new version when one is installed.", "Reboot"),
        Restart("rollback", "Goes back to the other slot: gives the running version up and restarts.", "Rollback"),
        Acting("mark-good", "Keeps the version on trial without waiting for its verdict.", "MarkGood"),
        WithArgument("mark-bad", "slot", "Makes the boot loader pass a slot over (a or b).", "MarkBad"),
        WithArgument("clear-failed", "version", "Lets a version that was tried and not kept be offered again.", "ClearFailed"),
        Simple("history", "Shows how updates ended.", ShowHistory),
        WorkloadCommands.Create(),
        FleetCommands.Create(),
        CredentialCommands.Create(),
        LogCommand.Create(),
        SupportBundle(),
        SetupCode(),
        Completion(),
    };

    private static Command LogIn()
    {
        var (fingerprint, password, certificate) = (
            Text("--fingerprint", "SHA-256 fingerprint of the device's certificate, as its console shows it; it is asked about otherwise."),
            Text("--password-file", "A file that holds the device's password; it is asked for otherwise."),
            Text("--certificate", "A PEM file with a certificate of the device's client authority and its key, instead of a password."));
        var command = new Command("login", $"""
            Logs in at another device; the log-in is kept for the commands that follow.

            Example:
              {ProgramName} --host edge-7.local login
            """) { fingerprint, password, certificate };
        command.SetAction((result, _) => TryAsync(async () =>
        {
            var logIn = new RemoteLogIn(Named(result), new KnownDevices()) { Fingerprint = result.GetValue(fingerprint), PasswordFile = result.GetValue(password), Certificate = result.GetValue(certificate) };
            var until = await logIn.RunAsync();
            if (!result.GetValue(Json)) Console.WriteLine($"You are logged in until {until.UtcDateTime:yyyy-MM-dd HH:mm} UTC.");
            return Done;
        }));
        return command;
    }

    private static Command LogOut()
    {
        var command = new Command("logout", $"Ends the log-in at another device.\n\nExample:\n  {ProgramName} --host edge-7.local logout");
        command.SetAction((result, _) => TryAsync(async () =>
        {
            await new RemoteLogIn(Named(result), new KnownDevices()).EndAsync();
            return Done;
        }));
        return command;
    }

    private static DeviceAddress Named(ParseResult result) => result.GetValue(Host) is { } host ? DeviceAddress.Parse(host) : throw new UserError("No device is named.", $"Example: {ProgramName} --host edge-7.local login");

    private static Command Simple(string name, string description, Action<JsonObject, TextWriter> show)
    {
        var command = new Command(name, $"{description}\n\nExample:\n  {ProgramName} {name}");
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var state = await supervisor.ReadAsync();
            if (result.GetValue(Json)) Print(state);
            else show(state, Console.Out);
            return Done;
        }));
        return command;
    }

    private static Command Health()
    {
        var history = new Option<bool>("--history") { Description = "With what every check said before." };
        var command = new Command("health", $"Shows the verdict and every check.\n\nExample:\n  {ProgramName} health --history") { history };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var state = await supervisor.ReadAsync();
            if (result.GetValue(Json)) Print(new JsonObject { ["health"] = state["health"]?.DeepClone(), ["reasons"] = state["healthReasons"]?.DeepClone(), ["checks"] = state["checks"]?.DeepClone() });
            else StatusText.WriteHealth(state, result.GetValue(history), Console.Out);
            return (string?)state["health"] == "healthy" ? Done : Failed;
        }));
        return command;
    }

    private static Command Findings()
    {
        var command = new Command("findings", $"Shows what is wrong or soon will be, and what to do about it.\n\nExample:\n  {ProgramName} findings");
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var found = (await supervisor.ReadAsync())["findings"] as JsonArray ?? [];
            if (result.GetValue(Json)) Print(found);
            else StatusText.WriteFindings(found, Console.Out);
            return found.Any(finding => (string?)finding!["severity"] == "error") ? Failed : Done;
        }));
        return command;
    }

    private static Command SetupCode()
    {
        var reset = new Option<bool>("--reset") { Description = "Forgets the password and every log-in, and makes a new code." };
        var command = new Command("setup-code", $"Shows the code with which the status page takes its owner.\n\nExample:\n  {ProgramName} setup-code --reset") { reset };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var code = await supervisor.SetupCodeAsync(result.GetValue(reset));
            if (result.GetValue(Json)) Print(new JsonObject { ["setupCode"] = code.Length > 0 ? code : null });
            else Console.WriteLine(code.Length > 0 ? code : "none: the owner has set a password (--reset forgets it)");
            return Done;
        }));
        return command;
    }

    private static Command SupportBundle()
    {
        var file = new Argument<string>("file") { Description = "Where it goes (tar.gz), or - for standard output." };
        var command = new Command("support-bundle", $"""
            Collects status, settings and journal, without secrets, for somebody far away.

            Example:
              {ProgramName} support-bundle /tmp/support.tar.gz
              ssh root@device {ProgramName} support-bundle - > support.tar.gz
            """) { file };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            if (result.GetRequiredValue(file) is not "-" and var path) await SupportFile.WriteAsync(supervisor, path);
            else await supervisor.WriteSupportBundleAsync(new SafeFileHandle(1, ownsHandle: false));
            return Done;
        }));
        return command;
    }

    private static Command Check()
    {
        var (source, channel) = (Text("--source", "A repository or bundle instead of the device's own."), Text("--channel", "A channel instead of the device's own."));
        var command = new Command("check", $"Looks for a version, and says what it would download.\n\nExample:\n  {ProgramName} check") { source, channel };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, async supervisor =>
        {
            var code = await JobAsync(supervisor, new JobOrder { Method = "Check", Source = result.GetValue(source), Channel = result.GetValue(channel) }, result.GetValue(Json), cancellationToken);
            if (code == Done && !result.GetValue(Json)) StatusText.WriteNotes(await supervisor.ReadAsync(), Console.Out);
            return code;
        }));
        return command;
    }

    private static Command Install()
    {
        var source = new Argument<string?>("source") { Description = "A bundle, a repository's address or folder, or - for a bundle on standard input; the device's own repository without it.", Arity = ArgumentArity.ZeroOrOne };
        var (version, channel) = (Text("--version", "A version instead of the newest."), Text("--channel", "A channel instead of the device's own."));
        var force = new Option<bool>("--force") { Description = "Installs a version that failed before, an older one, or the same again." };
        var reboot = new Option<bool?>("--reboot") { Description = "Restarts into it at once (true), or not by itself (false); else in the next window." };
        var command = new Command("install", $"""
            Installs a version into the slot that does not run.

            Example:
              {ProgramName} install --reboot
              ssh root@device {ProgramName} install - < edge_1.1.bundle
            """) { source, version, channel, force, reboot };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, supervisor => JobAsync(supervisor, new JobOrder
        {
            Method = "Install",
            Source = result.GetValue(source),
            Channel = result.GetValue(channel),
            Version = result.GetValue(version),
            Force = result.GetValue(force),
            Reboot = result.GetValue(reboot),
        }, result.GetValue(Json), cancellationToken)));
        return command;
    }

    private static Command Restart(string name, string description, string method)
    {
        var force = new Option<bool>("--force") { Description = "Although something asks for no restart now." };
        var command = new Command(name, $"{description}\n\nExample:\n  {ProgramName} {name}") { force };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            await supervisor.RestartAsync(method, result.GetValue(force));
            if (!result.GetValue(Json)) Console.WriteLine("The device restarts.");
            return Done;
        }));
        return command;
    }

    private static Command Acting(string name, string description, string method)
    {
        var command = new Command(name, $"{description}\n\nExample:\n  {ProgramName} {name}");
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            await supervisor.DoAsync(method);
            return Done;
        }));
        return command;
    }

    private static Command WithArgument(string name, string argumentName, string description, string method)
    {
        var argument = new Argument<string>(argumentName);
        var command = new Command(name, $"{description}\n\nExample:\n  {ProgramName} {name} {(argumentName == "slot" ? "b" : "1.1")}") { argument };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            await supervisor.DoAsync(method, result.GetRequiredValue(argument));
            return Done;
        }));
        return command;
    }

    private static Command Completion()
    {
        var command = new Command("completion", $"Prints what makes bash complete the verbs and options.\n\nExample:\n  source <({ProgramName} completion)");
        command.SetAction(_ => Console.Write($$"""
            _{{ProgramName}}() {
                local line=${COMP_LINE:0:$COMP_POINT}
                mapfile -t COMPREPLY < <({{ProgramName}} "[suggest:${#line}]" "$line" 2>/dev/null)
            }
            complete -o default -F _{{ProgramName}} {{ProgramName}}

            """));
        return command;
    }

    /// <summary>Runs a job to its end, shows it, and tells how it ended.</summary>
    public static async Task<int> JobAsync(ISupervisor supervisor, JobOrder order, bool json, CancellationToken cancellationToken)
    {
        var progress = new ProgressText(Console.Error, json);
        var job = await supervisor.RunJobAsync(order, progress.Show, cancellationToken);
        progress.End();
        if (json) Print(job);
        else if ((string?)job["state"] == "done") Console.WriteLine((string?)job["message"]);
        var state = (string?)job["state"];
        if (state == "done") return Done;
        await Console.Error.WriteLineAsync($"error: {(state == "cancelled" ? "The job was stopped." : job["message"])}");
        return Failed;
    }

    /// <summary>Runs a command with the device that is meant, and tells its errors.</summary>
    public static Task<int> ConnectedAsync(ParseResult result, Func<ISupervisor, Task<int>> work) => TryAsync(async () =>
    {
        await using ISupervisor supervisor = result.GetValue(Host) is { } host ? new RemoteSupervisor(new KnownDevices().Connect(DeviceAddress.Parse(host))) : BusSupervisor.Connect();
        return await work(supervisor);
    });

    private static async Task<int> TryAsync(Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (UserError error)
        {
            await Console.Error.WriteLineAsync($"error: {error}");
            return Refused;
        }
        catch (DeviceFailedException e)
        {
            await Console.Error.WriteLineAsync($"error: {e.Message}");
            return Failed;
        }
    }

    /// <summary>An option that takes a text.</summary>
    public static Option<string?> Text(string name, string description) => new(name) { Description = description };

    private static void ShowStatus(JsonObject state, TextWriter output) => StatusText.WriteStatus(state, output);

    private static void ShowHistory(JsonObject state, TextWriter output) => StatusText.WriteHistory(state, output);

    /// <summary>Prints JSON for machines.</summary>
    public static void Print(JsonNode node)
    {
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = true })) node.WriteTo(writer);
        Console.Out.WriteLine(Encoding.UTF8.GetString(text.ToArray()));
    }
}
