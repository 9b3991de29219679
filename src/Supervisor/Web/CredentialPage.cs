using Appliance.Core.Credentials;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The page about credentials: until when each holds, when it was changed, and a way to change it.</summary>
internal static class CredentialPage
{
    /// <summary>The content, which changes.</summary>
    public static string Content(IReadOnlyList<CredentialStatus> credentials, JobView? job, Session session) => $"""
        {Under(job)}
        <section class="cards">{string.Concat(credentials.Select(credential => Card(Encode(credential.Title), Rows(credential), Way(credential, session))))}</section>
        <p>{Form(CredentialRoutes.Rotate, session, $"<input type=\"hidden\" name=\"name\" value=\"{CredentialNames.All}\"><button id=\"rotate-all\">Change all that the device can change by itself</button>")}</p>
        <p>A new one is proved before the old one goes; where something fails, the old one comes back. If somebody else may have one: <code>appliancectl credentials rotate NAME --emergency</code></p>
        """;

    private static string Under(JobView? job) => job switch
    {
        null => "",
        { State: JobState.Running } => $"<section class=\"verdict starting\" aria-live=\"polite\"><h2>{Encode(job.Phase)}</h2><progress></progress></section>",
        _ => $"<section class=\"verdict {(job.State == JobState.Done ? "healthy" : "unhealthy")}\" aria-live=\"polite\"><p>{Encode(job.Message)}</p></section>",
    };

    private static IEnumerable<(string, string)> Rows(CredentialStatus credential)
    {
        if (credential.Identity is { } identity) yield return ("Known as", $"<code>{Encode(identity)}</code>");
        yield return ("Good until", credential.ExpiresAt is { } until ? Moment(until) : "it has no end");
        yield return ("Changed", credential.RotatedAt is { } changed ? Moment(changed) : "never");
        if (credential.DueAt is { } due) yield return ("Next one", Moment(due));
        if (credential.PreviousUntil is { } previous) yield return ("The one before", $"at hand until {Moment(previous)}");
        if (credential.Step is not (RotationStep.Idle or RotationStep.Grace)) yield return ("State", $"<span class=\"state warn\">{Encode(DeviceView.Word(credential.Step))}</span>");
        if (credential.Trouble is { } trouble) yield return ("Trouble", $"<span class=\"state bad\">not changed</span> {Encode(trouble)}");
    }

    private static string Way(CredentialStatus credential, Session session) => credential switch
    {
        { CanRotate: true } => Form(CredentialRoutes.Rotate, session, $"<input type=\"hidden\" name=\"name\" value=\"{Encode(credential.Name)}\"><button id=\"rotate-{Encode(credential.Name)}\">Change it now</button>"),
        { CanSet: true } => $"<p>Bring a new one: <code>appliancectl credentials set {Encode(credential.Name)} FILE</code></p>",
        { Renewal: { } renewal } => $"<p>{Encode(renewal)}</p>",
        _ => "",
    };
}
