using Appliance.Supervisor.Access;
using Appliance.Supervisor.Fleet;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The page about the fleet that the device belongs to: the server, what it assigned, and what waits for somebody's word.</summary>
internal static class FleetPage
{
    /// <summary>The content. What people type into is outside the part that changes.</summary>
    public static string Content(FleetStatus status, Session session) => $"""
        {Html.Live($"{FleetRoutes.Page}/live", Live(status, session))}
        <section class="panel">
          <h2>{(IsMember(status) ? "Join again, or another fleet" : "Join a fleet")}</h2>
          {Form(FleetRoutes.Join, session, $"""
            <label for="enrolmentToken">Enrolment token of the update server</label>
            <input id="enrolmentToken" name="enrolmentToken" required autocomplete="off" spellcheck="false">
            <label for="server">Server</label>
            <input id="server" name="server" placeholder="{(status.Server is { } server ? Encode(server) : "https://fleet.example.net:8443")}"{(status.Server is null ? " required" : "")} autocomplete="off" spellcheck="false">
            <button class="main">Join</button>
            """)}
          <p>For a token of the device's own or of a gateway, or the certificates of another server: <code>appliancectl fleet join --help</code></p>
        </section>
        """;

    /// <summary>The part that changes.</summary>
    public static string Live(FleetStatus status, Session session) => $"""
        {Unconfirmed(status, session)}
        <section class="cards">
          {Card("Server", Server(status), IsMember(status) ? $"<details id=\"leave\"><summary>Leave the fleet</summary><p>The device forgets by what the server knows it. What runs stays.</p>{Form(FleetRoutes.Leave, session, "<button>Leave</button>")}</details>" : "")}
          {(status.Assignment is { } assignment ? Card("Assignment", Assigned(assignment)) : "")}
        </section>
        """;

    private static bool IsMember(FleetStatus status) => status.State is FleetState.Joining or FleetState.Connected or FleetState.Unreachable or FleetState.Refused or FleetState.Unreadable;

    private static string Unconfirmed(FleetStatus status, Session session) => status.Unconfirmed is not { } waiting ? "" : $"""
        <section class="verdict starting" aria-live="polite"><h2>{Encode($"{waiting.Name} {waiting.Version}")} waits for your word</h2>
        {Form(FleetRoutes.Confirm, session, "<input type=\"hidden\" name=\"agreed\" value=\"true\"><button class=\"main\">Install it</button>")}{Form(FleetRoutes.Confirm, session, "<input type=\"hidden\" name=\"agreed\" value=\"false\"><button>Not now</button>")}</section>
        """;

    private static IEnumerable<(string, string)> Server(FleetStatus status)
    {
        var (style, word) = status.State switch
        {
            FleetState.Connected => ("good", "connected"),
            FleetState.Joining => ("warn", "joining"),
            FleetState.Unreachable => ("bad", "cannot be reached"),
            FleetState.Refused => ("bad", "does not take this device"),
            FleetState.Unreadable => ("bad", "cannot be shown who this device is"),
            _ => ("warn", "not joined"),
        };
        yield return ("State", $"<span class=\"state {style}\">{word}</span>");
        yield return ("Address", Encode(status.Server ?? "none"));
        yield return ("This device", Encode(status.Device));
        if (status.Trouble is { } trouble) yield return ("Trouble", Encode(trouble));
        if (status.CertificateUntil is { } until) yield return ("Certificate until", Moment(until) + (status.CertificateTrouble is { } why ? $"<br>no new one yet: {Encode(why)}" : ""));
        if (status.LastContact is { } contact) yield return ("Last heard of", Moment(contact));
    }

    private static IEnumerable<(string, string)> Assigned(Assignment assignment)
    {
        var word = assignment.Step switch
        {
            AssignmentStep.Accepted => "is to be installed",
            AssignmentStep.Installing => "is being installed",
            AssignmentStep.Installed => assignment.MayRestart ? "waits for the restart, or is on trial" : "waits for the server's window",
            AssignmentStep.Succeeded => "done",
            AssignmentStep.Failed => "failed",
            _ => "called off",
        };
        yield return ("What", Encode(assignment.Title));
        yield return ("State", word);
        yield return ("Given", Moment(assignment.At));
        if (assignment.Words.Count > 0) yield return ("", string.Join("<br>", assignment.Words.Select(Encode)));
        if (assignment is { IsOver: true, IsReported: false }) yield return ("Server", "is to be told yet");
    }
}
