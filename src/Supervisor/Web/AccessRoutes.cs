using Appliance.Core;
using Appliance.Supervisor.Access;
using Serilog;

namespace Appliance.Supervisor.Web;

/// <summary>Logging in and out, and the owner's password.</summary>
internal static class AccessRoutes
{
    /// <summary>Where log-ins end, and where the password is set.</summary>
    public const string LogOut = "/api/v1/logout", Password = "/api/v1/password";

    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes, ActionRoutes actions, OwnerAccess access, ClientLogIn clients, PageFrame frame)
    {
        routes.MapGet("/login", (RequestDelegate)(context => LogInPage(context, null, StatusCodes.Status200OK).ExecuteAsync(context)));
        routes.MapGet("/password", (RequestDelegate)(context => (Caller.Of(context, access) is { Session: not null } caller ? PasswordPage(caller, null, StatusCodes.Status200OK) : Answers.SeeOther("/login")).ExecuteAsync(context)));

        actions.MapOpen("/login", async (context, caller, form) =>
        {
            try
            {
                var (token, session) = await LogInAsync(context, caller, form);
                context.Response.Cookies.Append(Caller.Cookie, token, new CookieOptions { HttpOnly = true, Secure = true, SameSite = SameSiteMode.Strict, Path = "/", Expires = session.Until });
                return Answers.SeeOther(session.Setup ? "/password" : "/updates");
            }
            catch (RequestRefused e)
            {
                return LogInPage(context, $"{e.Message} {e.Hint}", e.Status);
            }
        });
        actions.MapOpen("/api/v1/session", async (context, caller, form) =>
        {
            var (token, session) = await LogInAsync(context, caller, form);
            return Answers.Json(new DeviceSession(token, session.Until, session.Setup), StatusJson.Default.DeviceSession);
        });
        actions.MapOpen(LogOut, (context, caller, form) =>
        {
            ActionRoutes.RequireOwnForm(context, caller, form[Caller.FormField]);
            if (caller.Session is { } session)
            {
                access.LogOut(session);
                Log.Information("{Who} logged out", caller.Name);
            }
            context.Response.Cookies.Delete(Caller.Cookie, new CookieOptions { Secure = true, Path = "/" });
            return Task.FromResult(ActionRoutes.WantsPage(context) ? Answers.SeeOther("/") : Results.NoContent());
        });
        actions.MapOpen(Password, async (context, caller, form) =>
        {
            if (caller.Session is not { } session) throw new RequestRefused(StatusCodes.Status401Unauthorized, "Log in first.", "With the setup code while there is no password.");
            ActionRoutes.RequireOwnForm(context, caller, form[Caller.FormField]);
            try
            {
                // A program says it once; a person may mistype.
                if (form.ContainsKey("again") && form["again"] != form["password"]) throw new UserError("The two passwords differ.", "Type the same twice.");
                await access.SetPasswordAsync(session, form["present"], form["password"].ToString(), caller.Address, context.RequestAborted);
                Log.Information("{Who} set the password", caller.Name);
                return ActionRoutes.WantsPage(context) ? Answers.SeeOther("/updates") : Results.NoContent();
            }
            catch (UserError e)
            {
                Log.Warning("{Who} did not set the password: {Reason}", caller.Name, e.Message);
                if (!ActionRoutes.WantsPage(context)) throw;
                return PasswordPage(caller, $"{e.Message} {e.Hint}", StatusCodes.Status409Conflict);
            }
        });

        IResult LogInPage(HttpContext context, string? message, int status) =>
            Answers.Page(frame.Render(Caller.Of(context, access), "/login", "log in", AccessPages.LogIn(access.SetupCode is not null, clients.NameOf(context.Connection.ClientCertificate), message)), status);

        IResult PasswordPage(Caller caller, string? message, int status) =>
            Answers.Page(frame.Render(caller, "/password", "password", AccessPages.Password(caller.Session!, !access.HasPassword, message)), status);

        async Task<(string Token, Session Session)> LogInAsync(HttpContext context, Caller caller, IFormCollection form)
        {
            var (secret, fault) = (form["secret"].ToString().TrimEnd('\r', '\n'), (string?)null);
            var answer = secret.Length == 0 && context.Connection.ClientCertificate is { } certificate ? clients.Begin(certificate, caller.Address, out fault) : await access.LogInAsync(secret, caller.Address, context.RequestAborted);
            if (answer is { Token: { } token, Session: { } session })
            {
                Log.Information("{Who} logged in{How}", (caller with { Session = session }).Name, session.Setup ? access.HasPassword ? " with a password that has ended" : " with the setup code" : session.Name is null ? "" : " with a certificate");
                return (token, session);
            }
            if (fault is not null)
            {
                Log.Warning("A certificate from {Address} was refused: {Reason}", caller.Address, fault);
                throw new RequestRefused(StatusCodes.Status401Unauthorized, $"The certificate does not log in: {fault}.", "Use one of the authority that the image names, or the password.");
            }
            // Not in the journal: it would be for strangers to fill, until what else is in it is gone.
            if (answer.RetryAfter is { } wait) throw new RequestRefused(StatusCodes.Status429TooManyRequests, "There were too many attempts.", $"Try again in {wait.TotalSeconds:0} seconds.") { RetryAfter = wait };
            Log.Warning("A log-in from {Address} was refused", caller.Address);
            var (message, hint) = access.SetupCode is null ? ("That is not the password.", "appliancectl setup-code --reset on the device makes a new beginning.") : ("That is not the setup code.", "The console shows it.");
            throw new RequestRefused(StatusCodes.Status401Unauthorized, message, hint);
        }
    }
}
