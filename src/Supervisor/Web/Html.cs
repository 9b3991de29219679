using System.Text.Encodings.Web;
using Appliance.Supervisor.Access;

namespace Appliance.Supervisor.Web;

/// <summary>The pieces that pages are made of.</summary>
internal static class Html
{
    /// <summary>A text in which nothing is markup.</summary>
    public static string Encode(string text) => HtmlEncoder.Default.Encode(text);

    /// <summary>A moment, to the minute.</summary>
    public static string Moment(DateTimeOffset time) => $"<time datetime=\"{time.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}\">{time.UtcDateTime:yyyy-MM-dd HH:mm}</time>";

    /// <summary>A table of names and values, and what stands below it; the values are markup.</summary>
    public static string Card(string title, IEnumerable<(string Name, string Value)> rows, string below = "") =>
        $"<article><h3>{title}</h3><dl>{string.Concat(rows.Select(row => $"<div><dt>{Encode(row.Name)}</dt><dd>{row.Value}</dd></div>"))}</dl>{below}</article>";

    /// <summary>A form of this log-in.</summary>
    public static string Form(string action, Session session, string content) =>
        $"<form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"{Caller.FormField}\" value=\"{session.FormToken}\">{content}</form>";

    /// <summary>A part that the script replaces when something has changed, or every so often where nobody announces changes.</summary>
    public static string Live(string from, string content, TimeSpan? pace = null) =>
        $"<div id=\"live\" data-from=\"{Encode(from)}\"{(pace is { } every ? $" data-pace=\"{every.TotalMilliseconds:0}\"" : "")}>{content}</div>";

    /// <summary>How an update ended, in a word for people.</summary>
    public static string Outcome(string outcome) => outcome switch { "rolledBack" => "went back", "committed" => "kept", _ => outcome };

    /// <summary>How many tries a version on trial has left.</summary>
    public static string OnTrial(int? triesLeft) => $"on trial, {triesLeft} {(triesLeft == 1 ? "try" : "tries")} left";
}
