using System.Globalization;
using Appliance.Core;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The page about updates, for the owner: what there is, what is under way, and what can be done.</summary>
internal static class UpdatePage
{
    /// <summary>The content. What people type into is outside the part that changes.</summary>
    public static string Content(DeviceUpdates updates, Session session) => $"""
        {Html.Live("/updates/live", Live(updates, session))}
        <section class="panel">
          <h2>Install</h2>
          {Form(UpdateRoutes.Install, session, $"""
            <label for="version">Version</label>
            <input id="version" name="version" placeholder="the newest of the channel" autocomplete="off" spellcheck="false">
            {Choices("")}
            <button class="main">Install</button>
            """)}
        </section>
        <section class="panel">
          <h2>Install a bundle from this computer</h2>
          <form id="upload" data-to="{UpdateRoutes.Bundle}" data-token="{session.FormToken}">
            <label for="bundle">Bundle, signed by the publisher</label>
            <input id="bundle" type="file" accept=".bundle" required>
            {Choices("upload-")}
            <button class="main">Send and install</button>
            <p id="upload-state" role="status"></p>
          </form>
          <noscript><p>This needs scripts. Without: <code>ssh device appliancectl install - &lt; FILE.bundle</code></p></noscript>
        </section>
        """;

    /// <summary>What can be chosen with a version, whichever way it comes.</summary>
    private static string Choices(string prefix) => $"""
        <label for="{prefix}reboot">Restart into it</label>
        <select id="{prefix}reboot" name="reboot"><option value="">in the next window</option><option value="true">as soon as it is installed</option><option value="false">when I say so</option></select>
        <label class="choice"><input type="checkbox" name="force" value="true"> also an older version, or one that was tried and not kept</label>
        """;

    /// <summary>The part that changes.</summary>
    public static string Live(DeviceUpdates updates, Session session) => $"""
        {Now(updates, session)}
        <section class="cards">
          {string.Concat(updates.Slots.Select(Slot))}
          {Card("Looking for versions", Looks(updates))}
        </section>
        {Failed(updates, session)}
        {History(updates)}
        """;

    private static string Now(DeviceUpdates updates, Session session)
    {
        var (style, title, text) = updates switch
        {
            { State: "rebooting" } => ("starting", "Restarting", "This page goes on by itself."),
            { Job: { State: JobState.Running } job } => ("starting", job.Kind == "check" ? "Looking for a version" : $"Installing{(job.Version is { } version ? $" version {version}" : "")}", ""),
            { State: "installed", Pending: { } pending } => ("starting", $"Version {pending.Version} waits for the restart", pending.Reboot switch { false => "It restarts when you say so.", true => "It restarts as soon as nothing holds it up.", _ => $"It restarts in the window of {updates.NextWindow.UtcDateTime:yyyy-MM-dd HH:mm} UTC, or when you say so." }),
            { Pending: { GivenUp: { } why } given } => ("starting", $"Version {given.Version} was given up", $"{char.ToUpperInvariant(why[0])}{why[1..]}. {(given.Leave ? "The device leaves it as soon as nothing holds the restart up." : "It is left with the next restart.")}"),
            { State: "probation", Pending: { } pending } => ("starting", $"Version {pending.Version} is on trial", "It is kept when it is healthy, and left for the one before when it is not."),
            { LastCheck: { Verdict: "available", Version: { } version } } => ("starting", $"Version {version} can be installed", updates.LastCheck.DownloadBytes is { } bytes ? $"{ByteSize.Format(bytes)} to download." : ""),
            { LastCheck.Verdict: "error" } => ("unhealthy", "The last look failed", updates.LastCheck.Message),
            _ => ("healthy", "Nothing is under way", ""),
        };
        var ended = updates.Job is { State: not JobState.Running } last ? $"<p>{Encode(last.State switch { JobState.Done => "Done", JobState.Cancelled => "Cancelled", _ => "Failed" })}: {Encode(last.Message)}</p>" : "";
        return $"""
            <section class="verdict {style}" aria-live="polite">
              <h2>{Encode(title)}</h2>
              {(text.Length > 0 ? $"<p>{Encode(text)}</p>" : "")}
              {(updates.Job is { State: JobState.Running } running ? Progress(running) : ended)}
              {Notes(updates)}
              <div class="actions">{Actions(updates, session)}</div>
            </section>
            """;
    }

    private static string Actions(DeviceUpdates updates, Session session)
    {
        return updates switch
        {
            { State: "rebooting" } => "",
            { Job.State: JobState.Running } => Button(UpdateRoutes.Cancel, "Cancel"),
            { State: "probation" } => Button(UpdateRoutes.MarkGood, "Keep it now") + Button(UpdateRoutes.Rollback, "Go back"),
            { State: "installed" } => Button(UpdateRoutes.Reboot, "Restart now", "main") + Button(UpdateRoutes.Check, "Look for a version"),
            _ => Button(UpdateRoutes.Check, "Look for a version", "main") + Button(UpdateRoutes.Reboot, "Restart the device") + Button(UpdateRoutes.Rollback, "Go back to the other version"),
        };

        // With an id: what has the focus keeps it when the part is replaced.
        string Button(string route, string text, string style = "") => Form(route, session, $"<button id=\"{route}\" class=\"{style}\">{text}</button>");
    }

    /// <summary>What the publisher says of the version that can be installed, or that waits.</summary>
    private static string Notes(DeviceUpdates updates) => updates.LastCheck is { Verdict: "available", Notes: { } notes, Version: { } version }
        ? $"<details id=\"notes\" open><summary>What is new in version {Encode(version)}</summary><pre>{Encode(notes)}</pre></details>" : "";

    private static string Progress(JobView job)
    {
        var parts = new List<string> { job.Phase };
        if (job.Total > 0) parts.Add($"{ByteSize.Format(job.Done)} of {ByteSize.Format(job.Total)}");
        if (job.Downloaded > 0) parts.Add($"{ByteSize.Format(job.Downloaded)} fetched");
        if (job.BytesPerSecond > 0) parts.Add($"{ByteSize.Format(job.BytesPerSecond)}/s");
        if (job.SecondsLeft is { } left) parts.Add($"{(left < 90 ? $"{left:0} s" : $"{left / 60:0} min")} left");
        var bar = job.Total > 0 ? string.Create(CultureInfo.InvariantCulture, $"<progress max=\"{job.Total}\" value=\"{job.Done}\">{100 * job.Done / job.Total} %</progress>") : "<progress></progress>";
        return $"{bar}<p>{Encode(string.Join(" · ", parts))}</p>";
    }

    private static string Slot(SlotStatus slot)
    {
        var state = slot.State switch
        {
            SlotState.Trial => OnTrial(slot.TriesLeft),
            SlotState.Bad => "given up",
            var other => DeviceView.Word(other),
        };
        return Card($"Slot {slot.Name.ToUpperInvariant()}{(slot.Running ? ", running" : "")}", [("Version", Encode(slot.Version ?? "none")), ("State", Encode(state))]);
    }

    private static IEnumerable<(string Name, string Value)> Looks(DeviceUpdates updates)
    {
        yield return ("Last", updates.LastCheck is { } last ? $"{Moment(last.At)} {Encode(last.Verdict switch { "upToDate" => "nothing newer", "available" => $"version {last.Version}", "waiting" => $"version {last.Version} is not for this device yet", "failedBefore" => $"version {last.Version}, tried and not kept", _ => "failed" })}" : "never");
        yield return ("Next", updates.NextCheck is { } next ? Moment(next) : "only when told");
        yield return ("Restarts from", Moment(updates.NextWindow));
    }

    private static string Failed(DeviceUpdates updates, Session session)
    {
        if (updates.Failed.Count == 0) return "";
        var items = updates.Failed.Reverse().Select(failed => $"""
            <li><strong>{Encode(failed.Version)}</strong> <small>{Moment(failed.At)}</small>
              <p>{Encode(failed.Reason)}</p>
              {(failed.Journal.Count > 0 ? $"<details id=\"journal-{Encode(failed.Version)}\"><summary>The end of its journal</summary><pre>{Encode(string.Join('\n', failed.Journal))}</pre></details>" : "")}
              {Form(UpdateRoutes.ClearFailed, session, $"<input type=\"hidden\" name=\"version\" value=\"{Encode(failed.Version)}\"><button id=\"clear-{Encode(failed.Version)}\">Let it be tried again</button>")}
            </li>
            """);
        return $"<section><h2>Tried and not kept</h2><ul class=\"findings\">{string.Concat(items)}</ul></section>";
    }

    private static string History(DeviceUpdates updates)
    {
        if (updates.History.Count == 0) return "";
        var rows = updates.History.Reverse().Select(entry => $"<tr><td>{Moment(entry.At)}</td><td>{Encode(Outcome(entry.Outcome))}</td><td>{Encode(entry.Version ?? "")}</td><td>{Encode(entry.Detail)}</td></tr>");
        return $"""
            <section>
              <h2>History</h2>
              <table>
                <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Version</th><th scope="col">Why, or how</th></tr></thead>
                <tbody>{string.Concat(rows)}</tbody>
              </table>
            </section>
            """;
    }
}
