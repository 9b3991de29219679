using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Microsoft.AspNetCore.Http.Features;
using Serilog;

namespace Appliance.Supervisor.Web;

/// <summary>
/// The routes that are not for everybody. What changes something is a POST, by whoever is logged in, from this device's own pages
/// or with a bearer token. A browser is sent to a page that shows what came of it; every other client gets JSON.
/// </summary>
internal sealed class ActionRoutes(IEndpointRouteBuilder routes, OwnerAccess access, PageFrame frame)
{
    private const int LargestForm = 8 << 10;

    /// <summary>Something only the owner may do.</summary>
    /// <param name="path">The route.</param>
    /// <param name="page">Where a browser goes afterwards.</param>
    /// <param name="act">Does it, and gives the answer for programs.</param>
    public void Map(string path, string page, Func<Caller, IFormCollection, CancellationToken, Task<IResult>> act) => MapOpen(path, async (context, caller, form) =>
    {
        RequireOwner(context, caller, form[Caller.FormField]);
        Log.Information("{Who} asks for {Action}", caller.Name, path);
        var answer = await act(caller, form, context.RequestAborted);
        return WantsPage(context) ? Answers.SeeOther(page) : answer;
    });

    /// <summary>Something only the owner may do, with a body of any length that is read as it comes.</summary>
    private void MapStream(string path, Func<Caller, HttpContext, Task<IResult>> act) => MapPost(path, async context =>
    {
        var caller = Caller.Of(context, access);
        RequireOwner(context, caller, null);
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        Log.Information("{Who} asks for {Action}", caller.Name, path);
        return await act(caller, context);
    });

    /// <summary>A job of the owner's that reads the body; it is answered when it has ended, and stopped when the sender goes away.</summary>
    public void MapJob(string path, Func<Caller, HttpContext, UpdateJob> begin) => MapStream(path, async (caller, context) =>
    {
        var job = begin(caller, context);
        await using var gone = context.RequestAborted.Register(job.Cancel);
        await job.Work;
        return Answers.Job(job, job.View.State == JobState.Done ? StatusCodes.Status200OK : StatusCodes.Status409Conflict);
    });

    /// <summary>A page that only the owner sees; who is not is sent to where one becomes the owner.</summary>
    public void MapPage(string path, Func<HttpContext, Caller, Task<string>> render) => MapAnswered(path, [HttpMethods.Get, HttpMethods.Head], async context =>
    {
        var caller = Caller.Of(context, access);
        return caller.Session is null ? Answers.SeeOther("/login") : caller.IsOwner ? Answers.Page(await render(context, caller)) : Answers.SeeOther("/password");
    });

    /// <summary>Something only the owner may read.</summary>
    public void MapRead(string path, Func<HttpContext, Caller, Task<IResult>> answer) => MapAnswered(path, [HttpMethods.Get, HttpMethods.Head], async context =>
    {
        var caller = Caller.Of(context, access);
        if (!caller.IsOwner) throw NotLoggedIn();
        return await answer(context, caller);
    });

    /// <summary>Something for whoever is not the owner yet.</summary>
    public void MapOpen(string path, Func<HttpContext, Caller, IFormCollection, Task<IResult>> act) => MapPost(path, async context =>
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = LargestForm;
        return await act(context, Caller.Of(context, access), await ReadFormAsync(context));
    });

    /// <summary>A cookie comes along with every request, the token of a form only with this device's own.</summary>
    /// <exception cref="RequestRefused">It is not there.</exception>
    public static void RequireOwnForm(HttpContext context, Caller caller, string? formToken)
    {
        if (!caller.ByCookie || caller.Session is not { } session) return;
        var given = formToken is { Length: > 0 } ? formToken : context.Request.Headers[Caller.FormHeader].ToString();
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(session.FormToken))) throw new RequestRefused(StatusCodes.Status403Forbidden, "The form is of another log-in.", "Load the page again.");
    }

    /// <summary>True for a browser that shows the answer.</summary>
    public static bool WantsPage(HttpContext context) => context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    private static async Task<IFormCollection> ReadFormAsync(HttpContext context)
    {
        if (!context.Request.HasFormContentType) return FormCollection.Empty;
        try
        {
            return await context.Request.ReadFormAsync(context.RequestAborted);
        }
        catch (Exception e) when (e is InvalidDataException || (e is IOException && e is not BadHttpRequestException))
        {
            throw new RequestRefused(StatusCodes.Status400BadRequest, "The form could not be read.", e.Message);
        }
    }

    private static RequestRefused NotLoggedIn() => new(StatusCodes.Status401Unauthorized, "Log in first.", "In a browser at /login; a program gets a token from POST /api/v1/session.");

    private static void RequireOwner(HttpContext context, Caller caller, string? formToken)
    {
        if (caller.Session is null) throw NotLoggedIn();
        RequireOwnForm(context, caller, formToken);
        if (!caller.IsOwner) throw new RequestRefused(StatusCodes.Status403Forbidden, "Set a password first.", "A setup code, or a password that has ended, is good for that and nothing else; see /password.");
    }

    private void MapPost(string path, Func<HttpContext, Task<IResult>> act) => MapAnswered(path, [HttpMethods.Post], context =>
    {
        RequireSameOrigin(context.Request);
        return act(context);
    });

    /// <summary>What is refused or goes wrong is told in the caller's form.</summary>
    private void MapAnswered(string path, string[] methods, Func<HttpContext, Task<IResult>> act) => routes.MapMethods(path, methods, (RequestDelegate)(async context =>
    {
        try
        {
            await (await act(context)).ExecuteAsync(context);
        }
        catch (RequestRefused e)
        {
            if (e.RetryAfter is { } wait) context.Response.Headers.RetryAfter = wait.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
            await AnswerAsync(context, new DeviceProblem(e.Status, e.Message, e.Hint));
        }
        catch (UserError e)
        {
            await AnswerAsync(context, new DeviceProblem(StatusCodes.Status409Conflict, e.Message, e.Hint));
        }
        catch (WorkerException e)
        {
            await AnswerAsync(context, new DeviceProblem(StatusCodes.Status500InternalServerError, "The device could not do it.", e.Message));
        }
        catch (BadHttpRequestException e)
        {
            await AnswerAsync(context, new DeviceProblem(e.StatusCode, "The request could not be read.", e.Message));
        }
    }));

    private Task AnswerAsync(HttpContext context, DeviceProblem problem) =>
        (WantsPage(context) ? Answers.Page(frame.Render(Caller.Of(context, access), "", problem.Title, MessagePage.Content(problem)), problem.Status) : Answers.Problem(problem)).ExecuteAsync(context);

    /// <summary>Browsers say where a request comes from (Fetch Metadata; RFC 6454, 7).</summary>
    private static void RequireSameOrigin(HttpRequest request)
    {
        var (site, origin) = (request.Headers["Sec-Fetch-Site"].ToString(), request.Headers.Origin.ToString());
        if (site is "" or "same-origin" or "none" && (origin.Length == 0 || origin == $"https://{request.Host}")) return;
        throw new RequestRefused(StatusCodes.Status403Forbidden, "Another site sent this request.", "Use the device's own page.");
    }
}
