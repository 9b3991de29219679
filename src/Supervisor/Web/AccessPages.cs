using Appliance.Supervisor.Access;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The pages on which somebody becomes the owner.</summary>
internal static class AccessPages
{
    /// <summary>Logging in.</summary>
    /// <param name="setup">True while there is no password.</param>
    /// <param name="certificate">Whose certificate the browser has shown, or null.</param>
    /// <param name="message">What went wrong, or null.</param>
    public static string LogIn(bool setup, string? certificate, string? message) => $"""
        <section class="panel">
          <h2>Log in</h2>
          <p>{(setup ? "This device has no owner yet. Its console shows the setup code; appliancectl setup-code on the device does, too." : "With the password of this device.")}</p>
          {Message(message)}
          {(certificate is null ? "" : $"<form method=\"post\" action=\"/login\"><button class=\"main\">Log in with the certificate of {Encode(certificate)}</button></form>")}
          <form method="post" action="/login">
            <label for="secret">{(setup ? "Setup code" : "Password")}</label>
            <input id="secret" name="secret" type="{(setup ? "text" : "password")}" autocomplete="{(setup ? "off" : "current-password")}" autocapitalize="none" spellcheck="false" maxlength="{OwnerAccess.LongestPassword}" required autofocus>
            <button class="main">Log in</button>
          </form>
        </section>
        """;

    /// <summary>Setting the password.</summary>
    /// <param name="session">Whose log-in it is.</param>
    /// <param name="first">True while there is no password.</param>
    /// <param name="message">What went wrong, or null.</param>
    public static string Password(Session session, bool first, string? message) => $"""
        <section class="panel">
          <h2>{(first ? "Make this device yours" : "Change the password")}</h2>
          <p>{OwnerAccess.ShortestPassword} characters or more; some words in a row are good. {(first ? "The setup code is gone then." : session.Setup ? "The present one has ended: it is good for setting the next one." : "Other log-ins end then.")}</p>
          {Message(message)}
          {Form(AccessRoutes.Password, session, $"""
            {(first ? "" : Field("present", "Present password", "current-password"))}
            {Field("password", "New password", "new-password")}
            {Field("again", "New password again", "new-password")}
            <button class="main">Set the password</button>
            """)}
        </section>
        """;

    private static string Message(string? message) => message is null ? "" : $"<p class=\"message\" role=\"alert\">{Encode(message)}</p>";

    private static string Field(string name, string label, string kind) =>
        $"<label for=\"{name}\">{label}</label><input id=\"{name}\" name=\"{name}\" type=\"password\" autocomplete=\"{kind}\" maxlength=\"{OwnerAccess.LongestPassword}\" required>";
}
