using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Journal;

namespace Appliance.Supervisor.Control;

/// <summary><c>appliancectl logs</c>: the journal, of this device or of another.</summary>
internal static class LogCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var (unit, text) = (ControlCommands.Text("--unit", "Only this unit's, for instance k3s.service."), ControlCommands.Text("--text", "Only lines that have this in them, in any case."));
        var priority = new Option<int?>("--priority") { Description = "The least important to be shown, from 0 (emergency) to 7 (debug)." };
        var boot = new Option<string>("--boot") { Description = "0 for this boot, -1 for the one before, an id, or all.", DefaultValueFactory = _ => "0" };
        var lines = new Option<int>("--lines") { Description = $"How many, the latest ones; {JournalQuery.MostLines} at most.", DefaultValueFactory = _ => JournalQuery.UsualLines };
        var command = new Command("logs", $"""
            Shows the journal's latest lines.

            Example:
              {ControlCommands.ProgramName} logs --unit appliance-supervisor.service --priority 4
              {ControlCommands.ProgramName} --host edge-7.local logs --boot -1 --text failed
            """) { unit, priority, boot, text, lines };
        command.SetAction((result, _) => ControlCommands.ConnectedAsync(result, async supervisor =>
        {
            var found = await supervisor.ReadLogAsync(new JournalQuery
            {
                Unit = result.GetValue(unit),
                Priority = result.GetValue(priority),
                Boot = result.GetValue(boot) is "all" ? null : result.GetValue(boot),
                Text = result.GetValue(text),
                Lines = result.GetValue(lines),
            });
            if (result.GetValue(ControlCommands.Json)) ControlCommands.Print(found);
            else Write(found, Console.Out);
            return ControlCommands.Done;
        }));
        return command;
    }

    private static void Write(JsonArray lines, TextWriter output)
    {
        foreach (var line in lines) output.WriteLine(Plain(string.Create(CultureInfo.InvariantCulture, $"{((DateTimeOffset)line!["at"]!).UtcDateTime:yyyy-MM-dd HH:mm:ss.fff} {line["source"]}: {line["message"]}")));
    }

    /// <summary>A terminal obeys no line of the journal.</summary>
    public static string Plain(string line) => string.Concat(line.Select(character => character is not ('\n' or '\t') && char.IsControl(character) ? '?' : character));
}
