using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The page about health: every check with its state, what it says and what it said before. Anybody may read it.</summary>
internal static class HealthPage
{
    /// <summary>Where it is.</summary>
    public const string Path = "/health";

    /// <summary>The part that changes.</summary>
    public static string Content(DeviceHealth health) => $"""
        {Verdict(health.Verdict, health.Reasons, health.ComparesWithBefore)}
        {(health.ComparesWithBefore ? "<p>While a version is on trial, what did not pass before the update either is excused.</p>" : "")}
        <section class="cards">
          {string.Concat(health.Checks.Select(Check))}
        </section>
        {(health.Checks.Count == 0 ? "<p>No check has begun yet.</p>" : "")}
        """;

    /// <summary>The verdict, and why.</summary>
    /// <param name="health"><c>starting</c>, <c>healthy</c> or <c>unhealthy</c>.</param>
    /// <param name="reasons">One a check.</param>
    /// <param name="onTrial">Whether the version is kept for it.</param>
    public static string Verdict(string health, IReadOnlyList<string> reasons, bool onTrial)
    {
        var why = string.Join("; ", reasons);
        var (title, text) = health switch
        {
            "healthy" => ("Healthy", $"{(why.Length == 0 ? "" : $"{char.ToUpperInvariant(why[0])}{why[1..]}.")}{(onTrial ? " This version is about to be kept." : "")}"),
            "starting" => ("Starting", $"Waiting: {why}."),
            _ => ("Not healthy", $"{why}."),
        };
        return $"<section class=\"verdict {health}\" aria-live=\"polite\"><h2>{title}</h2><p>{Encode(text)}</p></section>";
    }

    /// <summary>The state of a check.</summary>
    public static string State(DeviceCheck check)
    {
        var (style, word) = check switch { { State: "passes" } => ("good", "passes"), { State: "fails", Counts: true } => ("bad", "fails"), { State: "fails" } => ("warn", "warns"), _ => (check.State, check.State) };
        return $"<span class=\"state {style}\">{word}</span>";
    }

    private static string Check(DeviceCheck check)
    {
        // The last of them is the present.
        var earlier = check.History.SkipLast(1).Reverse().Select(change => $"<li>{Moment(change.At)} {Encode(change.State)}: {Encode(change.Message)}</li>").ToList();
        return Card(Encode(check.Name),
        [
            ("State", $"{State(check)} since {Moment(check.Since)}"),
            .. check.Kind == check.Name ? Array.Empty<(string, string)>() : [("Looks at", Encode(check.Kind))],
            ("When it fails", check.Counts ? "the device is not healthy" : check.Gate ? "it is excused while on trial" : "it warns"),
            ("Latest result", Encode(check.Message)),
            ("Last tried", check.Tried is { } tried ? Moment(tried) : "not yet"),
        ], earlier.Count == 0 ? "" : $"<details id=\"before-{Encode(check.Name)}\"><summary>Before ({earlier.Count})</summary><ol class=\"history\">{string.Concat(earlier)}</ol></details>");
    }
}
