using Appliance.Core;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Device;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The status page: complete HTML from the server, so that it works without scripts; a small script keeps it fresh.</summary>
internal static class StatusPage
{
    /// <summary>The part of the page that changes; the script puts a new one in its place.</summary>
    /// <param name="status">The device.</param>
    /// <param name="updates">Its slots, and how the last update ended.</param>
    /// <param name="findings">What is wrong or soon will be.</param>
    /// <param name="owner">The owner's log-in, when it is the owner who looks.</param>
    public static string Content(DeviceStatus status, DeviceUpdates updates, IReadOnlyList<DeviceFinding> findings, Session? owner) => $"""
        {HealthPage.Verdict(status.Health, status.HealthReasons, status.BootState == "trial")}
        {Found(findings, owner)}
        <section class="cards">
          {Texts("System", ("Image", $"{status.Id} {status.Version}"), ("Board", status.Board), ("Based on", status.System), ("Kernel", status.Kernel), ("Up for", Duration(status.UptimeSeconds)))}
          {Texts("Boot", ("Slot", $"{status.Slot.ToUpperInvariant()} ({status.SlotLabel}), {BootWords(status)}"), ("Other slot", OtherSlot(updates)), ("Last update", LastUpdate(updates)), ("Root", status.RootVerified ? "read-only, verified" : "not verified"), ("Root hash", status.RootHash.Length > 16 ? status.RootHash[..16] + "…" : status.RootHash))}
          {Texts("Resources", ("Data free", $"{ByteSize.Format(status.DataFree)} of {ByteSize.Format(status.DataTotal)}"), ("Memory free", $"{ByteSize.Format(status.MemoryAvailable)} of {ByteSize.Format(status.MemoryTotal)}"), ("Load", FormattableString.Invariant($"{status.Load:0.00} on {status.Processors} processor{(status.Processors == 1 ? "" : "s")}")), ("Temperature", status.Temperature is { } degrees ? FormattableString.Invariant($"{degrees:0} °C") : "no sensor"), ("Workloads", status.Workloads), ("Clock", $"{status.Time:yyyy-MM-dd HH:mm 'UTC'}{(status.ClockSet ? "" : ", not set from the network")}"))}
          {Texts("Network", [("Name", status.Hostname), ("Address", status.Addresses.Count == 0 ? "none yet" : string.Join(", ", status.Addresses)), ("Certificate until", $"{status.CertificateUntil:yyyy-MM-dd}")])}
        </section>
        {Losses(status)}
        <section>
          <h2>Health checks</h2>
          <table>
            <thead><tr><th scope="col">Check</th><th scope="col">State</th><th scope="col">Latest result</th></tr></thead>
            <tbody>
            {string.Concat(status.Checks.Select(Row))}
            </tbody>
          </table>
          <p><a href="{HealthPage.Path}">What each of them said before</a></p>
        </section>
        """;

    /// <summary>What is wrong or soon will be, with what to do.</summary>
    private static string Found(IReadOnlyList<DeviceFinding> findings, Session? owner)
    {
        var items = findings.Select(finding => $"<li><span class=\"state {Style(finding.Severity)}\">{finding.Severity}</span> <strong>{Encode(finding.Title)}</strong> <small>since {Moment(finding.Since)}</small><p>{Encode(finding.Explanation)}</p><p>{Encode(finding.Action)}</p>{(owner is null ? "" : Act(finding, owner))}</li>");
        return findings.Count == 0 ? "" : $"<section><h2>Findings</h2><ul class=\"findings\">{string.Concat(items)}</ul></section>";

        static string Style(string severity) => severity switch { "error" => "bad", "warning" => "warn", _ => "note" };
    }

    /// <summary>What the owner can do about it with one click, where that is safe.</summary>
    private static string Act(DeviceFinding finding, Session owner)
    {
        return finding.Command.Split(' ') switch
        {
            ["check"] => Button(UpdateRoutes.Check, "Look again"),
            ["reboot"] => Button(UpdateRoutes.Reboot, "Restart now"),
            ["clear-failed", var version] => Button(UpdateRoutes.ClearFailed, "Let it be tried again", $"<input type=\"hidden\" name=\"version\" value=\"{Encode(version)}\">"),
            _ => "",
        };

        string Button(string action, string text, string fields = "") => Form(action, owner, $"{fields}<button id=\"{Encode($"{finding.Id}-{finding.Subject}")}\">{text}</button>");
    }

    /// <summary>What going back would discard, and what it did discard.</summary>
    private static string Losses(DeviceStatus status)
    {
        var next = status.RollbackDiscards is { } loss ? $"<p>What was written since {Moment(loss.Since)} to {Paths(loss)} goes if version {Encode(loss.From)} is not kept: version {Encode(loss.To)} then finds what it left.</p>" : "";
        var last = status.LastRestore is { } restore
            ? $"<p>{Moment(restore.At)}: version {Encode(restore.To)} got its state back. What version {Encode(restore.From)} had written since {Moment(restore.Since)} to {Paths(restore)} was discarded: {ByteSize.Format(restore.Bytes)}{(restore.Newest is { } newest ? $", the youngest of {Moment(newest)}" : "")}.</p>"
            : "";
        return next.Length + last.Length == 0 ? "" : $"<section class=\"losses\"><h2>State that goes back</h2>{next}{last}</section>";
    }

    private static string Paths(DeviceLoss loss) => string.Join(", ", loss.Paths.Select(path => $"<code>{Encode(path)}</code>"));

    private static string Texts(string title, params (string Name, string Text)[] rows) => Card(title, rows.Select(row => (row.Name, Encode(row.Text))));

    private static string Row(DeviceCheck check)
    {
        var kind = check.Kind == check.Name ? "" : $" <small>{Encode(check.Kind)}</small>";
        return $"<tr><th scope=\"row\">{Encode(check.Name)}{kind}</th><td>{HealthPage.State(check)}</td><td>{Encode(check.Message)} <small>since {Moment(check.Since)}</small></td></tr>";
    }

    private static string BootWords(DeviceStatus status) => status.BootState switch
    {
        "trial" => OnTrial(status.TriesLeft),
        "good" => "good",
        _ => "not counted",
    };

    private static string OtherSlot(DeviceUpdates updates) => updates.Slots.FirstOrDefault(slot => !slot.Running) is not { } other ? "not known yet"
        : $"{other.Name.ToUpperInvariant()}, {(other.Version is { } version ? $"version {version}, " : "")}{DeviceView.Word(other.State)}";

    private static string LastUpdate(DeviceUpdates updates) => updates.History is [.., var last]
        ? $"{Outcome(last.Outcome)}{(last.Version is { } version ? $" {version}" : "")}, {last.At.UtcDateTime:yyyy-MM-dd HH:mm}" : "none yet";

    private static string Duration(long seconds)
    {
        var time = TimeSpan.FromSeconds(seconds);
        return time.TotalDays >= 1 ? $"{(int)time.TotalDays} d {time.Hours} h" : time.TotalHours >= 1 ? $"{time.Hours} h {time.Minutes} min" : $"{time.Minutes} min {time.Seconds} s";
    }
}
