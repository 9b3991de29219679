using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Service;
using static Appliance.Supervisor.Control.ControlCommands;

namespace Appliance.Supervisor.Control;

/// <summary><c>appliancectl credentials</c>: what the device is known by, and knows others by.</summary>
internal static class CredentialCommands
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("credentials", $"""
            Lists credentials, and changes them: a new one is proved before the old one goes.

            Example:
              {ProgramName} credentials
              {ProgramName} credentials rotate ssh-host-key
            """) { List(), Rotate(), Set() };
        command.SetAction((result, _) => ListAsync(result));
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", $"Lists them: until when each holds, when it was changed, when the next one is due.\n\nExample:\n  {ProgramName} credentials list");
        command.SetAction((result, _) => ListAsync(result));
        return command;
    }

    private static Command Rotate()
    {
        var (name, emergency) = (new Argument<string>("name") { Description = $"Which; {CredentialNames.All} for all that the device can change by itself." }, Emergency());
        var command = new Command("rotate", $"Has the device make a new one.\n\nExample:\n  {ProgramName} credentials rotate device-certificate\n  {ProgramName} credentials rotate {CredentialNames.All}") { name, emergency };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, supervisor =>
            JobAsync(supervisor, new JobOrder { Method = "RotateCredential", Credential = result.GetRequiredValue(name), Emergency = result.GetValue(emergency) }, result.GetValue(Json), cancellationToken)));
        return command;
    }

    private static Command Set()
    {
        var (name, file, emergency) = (new Argument<string>("name") { Description = "Which." }, new Argument<string>("file") { Description = "A file with the new one; - for standard input." }, Emergency());
        var command = new Command("set", $"Brings a new one, which takes the old one's place when it works.\n\nExample:\n  {ProgramName} credentials set registry registries.yaml") { name, file, emergency };
        command.SetAction((result, cancellationToken) => ConnectedAsync(result, supervisor =>
            JobAsync(supervisor, new JobOrder { Method = "SetCredential", Credential = result.GetRequiredValue(name), Content = Read(result.GetRequiredValue(file)), Emergency = result.GetValue(emergency) }, result.GetValue(Json), cancellationToken)));
        return command;
    }

    private static Option<bool> Emergency() => new("--emergency") { Description = "The old one goes at once: somebody else may have it." };

    private static byte[] Read(string path)
    {
        try
        {
            using var stream = path == JobOrder.StandardInput ? Console.OpenStandardInput() : File.OpenRead(path);
            var content = new byte[CredentialSettings.LargestGiven + 1];
            var length = stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            return length is > 0 and <= CredentialSettings.LargestGiven ? content[..length] : throw new UserError($"{path} has not 1 to {CredentialSettings.LargestGiven} bytes.", "It is the new credential and nothing else.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }

    private static Task<int> ListAsync(ParseResult result) => ConnectedAsync(result, async supervisor =>
    {
        var credentials = (await supervisor.ReadAsync())["credentials"] as JsonArray ?? [];
        if (result.GetValue(Json)) Print(credentials);
        else foreach (var credential in credentials) Write((JsonObject)credential!, Console.Out);
        return credentials.Any(credential => credential!["trouble"] is not null) ? Failed : Done;
    });

    private static void Write(JsonObject credential, TextWriter output)
    {
        output.WriteLine(LogCommand.Plain($"{credential["name"],-20} {credential["title"]}"));
        var words = new List<string> { credential["expiresAt"] is { } until ? $"until {Day(until)}" : "without an end" };
        if (credential["rotatedAt"] is { } rotated) words.Add($"changed {Day(rotated)}");
        if (credential["dueAt"] is { } due) words.Add($"next {Day(due)}");
        if (credential["previousUntil"] is { } previous) words.Add($"the one before is at hand until {Day(previous)}");
        if ((string?)credential["step"] is not ("idle" or "grace") and var step) words.Add($"{step}");
        Line(string.Join(", ", words));
        if (credential["identity"] is { } identity) Line(identity);
        if (credential["trouble"] is { } trouble) Line($"not changed: {trouble}");

        void Line(object text) => output.WriteLine(LogCommand.Plain($"{"",-20} {text}"));

        static string Day(JsonNode at) => BusValues.Time(at).ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
    }
}
