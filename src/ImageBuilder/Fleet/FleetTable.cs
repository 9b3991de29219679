using System.Text.Json.Nodes;
using Appliance.Core;

namespace Appliance.ImageBuilder.Fleet;

/// <summary>The server's answers as text for people: lines, and rows as columns.</summary>
internal static class FleetTable
{
    /// <summary>Prints rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">Heads, and what stands below them.</param>
    public static void Print(IEnumerable<JsonNode?> rows, params (string Head, Func<JsonNode, string?> Cell)[] columns)
    {
        var lines = rows.Select(row => columns.Select(column => PlainText.Clean(column.Cell(row!) ?? "")).ToArray()).Prepend([.. columns.Select(column => column.Head)]).ToList();
        var widths = Enumerable.Range(0, columns.Length).Select(column => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines) Console.WriteLine(string.Join("  ", line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>Prints a line with text of the server.</summary>
    public static void Say(string line) => Console.WriteLine(PlainText.Clean(line));

    /// <summary>A moment of an answer, in UTC; <c>never</c> when there is none.</summary>
    public static string Moment(JsonNode? at) => at is null ? "never" : at.GetValue<DateTimeOffset>().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture);
}
