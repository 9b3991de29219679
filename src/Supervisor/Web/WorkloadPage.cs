using Appliance.Supervisor.Access;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The pages about workloads, for the owner: which there are, what their releases came to, and what can be done.</summary>
internal static class WorkloadPage
{
    private const int ShownEvents = 10;

    /// <summary>The page of all. What people type into is outside the part that changes.</summary>
    public static string Content(IReadOnlyList<WorkloadStatus> workloads, JobView? job, Session session) => $"""
        {Html.Live($"{WorkloadRoutes.Page}/live", Live(workloads, job, session))}
        <section class="panel">
          <h2>Apply a release</h2>
          {Form(WorkloadRoutes.Apply, session, """
            <label for="id">Workload</label>
            <input id="id" name="id" required autocomplete="off" spellcheck="false">
            <label for="version">Version</label>
            <input id="version" name="version" placeholder="the newest of the channel" autocomplete="off" spellcheck="false">
            <label class="choice"><input type="checkbox" name="force" value="true"> also an older version, or one that was tried and not kept</label>
            <button class="main">Apply</button>
            """)}
        </section>
        <section class="panel">
          <h2>Apply a bundle from this computer</h2>
          <form id="upload" data-to="{WorkloadRoutes.Bundle}" data-token="{session.FormToken}">
            <label for="bundle">Bundle, signed by the publisher</label>
            <input id="bundle" type="file" accept=".bundle" required>
            <label class="choice"><input type="checkbox" name="force" value="true"> also an older version, or one that was tried and not kept</label>
            <button class="main">Send and apply</button>
            <p id="upload-state" role="status"></p>
          </form>
          <noscript><p>This needs scripts. Without: <code>ssh device appliancectl workloads apply - &lt; FILE.bundle</code></p></noscript>
        </section>
        """;

    /// <summary>The part that changes.</summary>
    public static string Live(IReadOnlyList<WorkloadStatus> workloads, JobView? job, Session session) => $"""
        {Now(job, session)}
        <section class="cards">
          {string.Concat(workloads.Select(workload => Workload(workload, session)))}
        </section>
        {(workloads.Count == 0 ? "<p>There is no workload here.</p>" : "")}
        """;

    /// <summary>The page of one.</summary>
    public static string One(WorkloadStatus workload, IReadOnlyList<string> log) => $"""
        <section class="cards">
          {Card(Encode(workload.Id), Facts(workload))}
        </section>
        {(workload.Trouble is { } trouble ? $"<p class=\"warn\">Its objects are not known: {Encode(trouble)}</p>" : "")}
        <section class="panel">
          <h2>Objects</h2>
          <table><thead><tr><th>Object</th><th>State</th><th>What it says</th></tr></thead><tbody>{string.Concat((workload.Objects ?? []).Select(Row))}</tbody></table>
        </section>
        <section class="panel">
          <h2>Latest output</h2>
          <pre class="log">{Encode(string.Join('\n', log))}</pre>
        </section>
        <section class="panel">
          <h2>History</h2>
          <ol class="history">{string.Concat(workload.State.History.Reverse().Take(ShownEvents).Select(Event))}</ol>
        </section>
        """;

    private static string Now(JobView? job, Session session) => job switch
    {
        { State: JobState.Running } => $"""
            <section class="verdict starting" aria-live="polite"><h2>{Encode(job.Workload ?? "")} {Encode(job.Version ?? "")}: {Encode(job.Phase)}</h2>
            {(job.Total > 0 ? $"<progress max=\"{job.Total}\" value=\"{job.Done}\"></progress>" : "<progress></progress>")}
            {Form(UpdateRoutes.Cancel, session, "<button>Stop</button>")}</section>
            """,
        { State: JobState.Failed } => $"<section class=\"verdict unhealthy\" aria-live=\"polite\"><h2>{Encode(job.Workload ?? "")}: not done</h2><p>{Encode(job.Message)}</p></section>",
        { Message.Length: > 0 } => $"<p>{Encode(job.Message)}</p>",
        _ => "",
    };

    private static string Workload(WorkloadStatus workload, Session session)
    {
        var id = $"<input type=\"hidden\" name=\"id\" value=\"{Encode(workload.Id)}\">";
        var back = workload.State.Previous is { } previous ? Form(WorkloadRoutes.RollBack, session, $"{id}<button>Go back to {Encode(previous)}</button>") : "";
        var objects = $"<p><a href=\"{WorkloadRoutes.One}?id={Uri.EscapeDataString(workload.Id)}\">Objects and output</a></p>";
        if (workload.Included is not null) return Card(Encode(workload.Id), Facts(workload), $"{objects}<p>It comes and goes with the operating system.</p>");
        return Card(Encode(workload.Id), Facts(workload), $"""
            {objects}
            {Form(WorkloadRoutes.Apply, session, $"{id}<button>Look for a newer release</button>")}{back}
            <details id="remove-{Encode(workload.Id)}"><summary>Remove</summary><p>Its containers end. Volumes stay, unless their annotation lets them go.</p>{Form(WorkloadRoutes.Remove, session, $"{id}<button>Remove {Encode(workload.Id)}</button>")}</details>
            """);
    }

    private static IEnumerable<(string, string)> Facts(WorkloadStatus workload)
    {
        var state = workload.State;
        yield return ("Version", Encode(state.Current ?? "none"));
        if (workload.Included is { } included) yield return ("Of the image", Encode(included));
        if (state.Previous is { } previous) yield return ("Before", Encode(previous));
        if (state.Trial is { } trial) yield return ("Under way", Encode($"{DeviceView.Word(trial.Phase)} {trial.Version}"));
        if (state.History is [.., var last]) yield return ("Last", $"{Encode($"{last.Outcome} {last.Version}")} {Moment(last.At)}{(last.Detail.Length > 0 ? $"<br>{Encode(last.Detail)}" : "")}");
    }

    private static string Row(WorkloadObject found)
    {
        var (style, word) = found.State switch { "ready" => ("good", "ready"), "failed" => ("bad", "failed"), _ => ("warn", "waits") };
        return $"<tr><td>{Encode(found.Object)}</td><td><span class=\"state {style}\">{word}</span></td><td>{Encode(found.Message)}</td></tr>";
    }

    private static string Event(ReleaseEvent entry) => $"<li>{Moment(entry.At)} {Encode(entry.Outcome)} {Encode(entry.Version)}{(entry.Detail.Length > 0 ? $": {Encode(entry.Detail)}" : "")}</li>";
}
