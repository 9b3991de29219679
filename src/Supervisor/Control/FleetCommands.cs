using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Service;
using static Appliance.Supervisor.Control.ControlCommands;

namespace Appliance.Supervisor.Control;

/// <summary><c>appliancectl fleet</c>: the update server that the device belongs to.</summary>
internal static class FleetCommands
{
    private const int LargestFile = 256 << 10;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("fleet", $"""
            Shows the update server that the device belongs to, and what it assigned.

            Example:
              {ProgramName} fleet
              {ProgramName} fleet join --enrolment-token-file token
            """)
        {
            Join(),
            Leave(),
            Answer("confirm", "Agrees to what the server assigned and somebody at the device has to agree to.", agreed: true),
            Answer("deny", "Says no to it, for now.", agreed: false),
        };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var fleet = (await supervisor.ReadAsync())["fleet"] as JsonObject ?? [];
            if (result.GetValue(Json)) Print(fleet);
            else Write(fleet, Console.Out);
            return (string?)fleet["state"] is "unreachable" or "refused" or "unreadable" ? Failed : Done;
        }));
        return command;
    }

    private static Command Join()
    {
        var (server, tenant, trust) = (
            Text("--server", "Address of the server; without it, the one that the image names."),
            Text("--tenant", "The tenant, on a server that has several."),
            Text("--trust", "A PEM file with the certificates that the server is trusted by."));
        var certificate = Text("--certificate-file", "A file with the factory's certificate for this device and its key (PEM): the server issues one of its own for it.");
        var (enrolment, token, gateway) = (
            Text("--enrolment-token-file", "A file with a token by which our server lets devices in; - for standard input."),
            Text("--token-file", "A file with the device's own token (DDI's TargetToken)."),
            Text("--gateway-token-file", "A file with a gateway's token (DDI's GatewayToken)."));
        var command = new Command("join", $"""
            Makes the device a member of a fleet. Tokens come from files: a command line is everybody's to read.

            Example:
              {ProgramName} fleet join --enrolment-token-file token
              {ProgramName} fleet join --server https://hawkbit.example.net --token-file token
            """) { server, tenant, trust, enrolment, token, gateway, certificate };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            var request = new JoinRequest
            {
                Server = result.GetValue(server),
                Tenant = result.GetValue(tenant),
                Trust = Read(result.GetValue(trust)),
                EnrolmentToken = Read(result.GetValue(enrolment))?.Trim(),
                Token = Read(result.GetValue(token))?.Trim(),
                GatewayToken = Read(result.GetValue(gateway))?.Trim(),
                Certificate = Read(result.GetValue(certificate)),
            };
            request.ToMembership(); // what makes no sense need not be sent
            await supervisor.JoinFleetAsync(request);
            if (!result.GetValue(Json)) Console.WriteLine($"The device joins; {ProgramName} fleet shows how it goes.");
            return Done;
        }));
        return command;
    }

    private static Command Leave()
    {
        var command = new Command("leave", $"Forgets by what the server knows the device. What runs stays.\n\nExample:\n  {ProgramName} fleet leave");
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            await supervisor.LeaveFleetAsync();
            return Done;
        }));
        return command;
    }

    private static Command Answer(string name, string description, bool agreed)
    {
        var words = Text("--words", "Why, for those who look after the fleet.");
        var command = new Command(name, $"{description}\n\nExample:\n  {ProgramName} fleet {name}") { words };
        command.SetAction((result, _) => ConnectedAsync(result, async supervisor =>
        {
            await supervisor.ConfirmAssignmentAsync(agreed, result.GetValue(words));
            return Done;
        }));
        return command;
    }

    private static string? Read(string? path)
    {
        if (path is null) return null;
        try
        {
            if (path == JobOrder.StandardInput) return Console.In.ReadToEnd();
            if (new FileInfo(path).Length > LargestFile) throw new UserError($"{path} is too large for what it should hold.");
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }

    private static void Write(JsonObject fleet, TextWriter output)
    {
        var state = (string?)fleet["state"] switch
        {
            "connected" => "connected",
            "joining" => "joining",
            "unreachable" => "the server cannot be reached",
            "refused" => "the server does not take this device",
            "unreadable" => "by what the server knows this device cannot be read",
            "notJoined" => "not joined",
            _ => "no server is known",
        };
        Line("fleet", state);
        Line("server", fleet["server"]);
        Line("device", fleet["device"]);
        Line("trouble", fleet["trouble"]);
        Line("certificate", fleet["certificateUntil"] is { } until ? $"until {Moment(until)}{(fleet["certificateTrouble"] is { } why ? $"; no new one yet: {why}" : "")}" : null);
        Line("last heard", fleet["lastContact"] is { } contact ? Moment(contact) : null);
        if (fleet["action"] is { } action) Line("assignment", $"{fleet["actionName"]} {fleet["actionVersion"]} (action {action}): {fleet["actionStep"]}");
        foreach (var words in fleet["actionWords"] as JsonArray ?? []) Line("", words);
        if (fleet["unconfirmedAction"] is not null) Line("waits", $"{fleet["unconfirmedName"]} {fleet["unconfirmedVersion"]} waits for a word from here: {ProgramName} fleet confirm, or deny");

        static string Moment(JsonNode at) => BusValues.Time(at).ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

        void Line(string name, object? value)
        {
            if (value is not null) output.WriteLine(LogCommand.Plain($"{name,-11} {value}"));
        }
    }
}
