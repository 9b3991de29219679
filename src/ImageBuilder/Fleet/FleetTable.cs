using System.Text.Json.Nodes;

namespace Appliance.ImageBuilder.Fleet;

/// <summary>Rows of the server's answers as columns of text.</summary>
internal static class FleetTable
{
    /// <summary>Prints rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">Heads, and what stands below them.</param>
    public static void Print(IEnumerable<JsonNode?> rows, params (string Head, Func<JsonNode, string?> Cell)[] columns)
    {
        var lines = rows.Select(row => columns.Select(column => column.Cell(row!) ?? "").ToArray()).Prepend([.. columns.Select(column => column.Head)]).ToList();
        var widths = Enumerable.Range(0, columns.Length).Select(column => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines) Console.WriteLine(string.Join("  ", line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>A moment of an answer, in UTC; <c>never</c> when there is none.</summary>
    public static string Moment(JsonNode? at) => at is null ? "never" : at.GetValue<DateTimeOffset>().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture);
}
