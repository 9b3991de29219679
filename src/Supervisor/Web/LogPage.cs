using Appliance.Supervisor.Journal;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The page with the journal.</summary>
internal static class LogPage
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(3);
    private static readonly string[] Priorities = ["emergencies", "alerts", "critical", "errors", "warnings", "notices", "information", "everything"];

    /// <summary>The content: what to choose by, and the lines.</summary>
    public static string Content(JournalQuery query, IReadOnlyList<JournalBoot> boots, IReadOnlyList<JournalLine> lines, string asked) => $"""
        <section class="panel">
          <h2>Logs</h2>
          <form method="get" action="/logs" class="filters">
            <p><label for="text">Text</label><input id="text" name="text" value="{Encode(query.Text ?? "")}" maxlength="200" autocomplete="off" spellcheck="false"></p>
            <p><label for="unit">Unit</label><input id="unit" name="unit" value="{Encode(query.Unit ?? "")}" placeholder="all" maxlength="255" autocomplete="off" spellcheck="false"></p>
            <p><label for="priority">Up to</label><select id="priority" name="priority">{string.Concat(Enumerable.Range(0, Priorities.Length).Reverse().Select(number => Option(number.ToString(System.Globalization.CultureInfo.InvariantCulture), Priorities[number], number == (query.Priority ?? 7))))}</select></p>
            <p><label for="boot">Boot</label><select id="boot" name="boot">{Option("all", "all", query.Boot is null)}{string.Concat(boots.Reverse().Select((boot, number) => Option(boot.Id, $"{(number == 0 ? "this, since " : "")}{boot.First.UtcDateTime:yyyy-MM-dd HH:mm}", query.Boot == boot.Id || query.Boot == $"-{number}" || (number == 0 && query.Boot == "0"))))}</select></p>
            <button class="main">Show</button>
          </form>
          <p><a href="/api/v1/logs/text{Encode(asked)}" download>Download as text</a> · <a href="{DeviceRoutes.Support}" download>Support bundle</a></p>
        </section>
        {Live($"/logs/live{asked}", Lines(lines), Pace)}
        """;

    /// <summary>The lines, the latest first, so that nothing moves away under a reader's eyes but by what is new.</summary>
    public static string Lines(IReadOnlyList<JournalLine> lines) => lines.Count == 0
        ? "<p>There are no such lines.</p>"
        : $"<ol class=\"log\" reversed>{string.Concat(lines.Reverse().Select(Line))}</ol>";

    private static string Line(JournalLine line) =>
        $"<li class=\"{(line.Priority <= 3 ? "bad" : line.Priority == 4 ? "warn" : "")}\"><time datetime=\"{line.At.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}\">{line.At.UtcDateTime:MM-dd HH:mm:ss}</time> <b>{Encode(line.Source)}</b> {Encode(line.Message)}</li>";

    private static string Option(string value, string text, bool chosen) => $"<option value=\"{Encode(value)}\"{(chosen ? " selected" : "")}>{Encode(text)}</option>";
}
