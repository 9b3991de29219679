using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Web;

/// <summary>Updates over HTTP: what the engine does, and a bundle that is sent.</summary>
internal static class UpdateRoutes
{
    /// <summary>The routes that pages send forms to.</summary>
    public const string Check = $"{Api}/check", Install = $"{Api}/install", Bundle = $"{Api}/bundle", Cancel = $"{Api}/cancel", Reboot = $"{Api}/reboot", Rollback = $"{Api}/rollback", MarkGood = $"{Api}/mark-good", ClearFailed = $"{Api}/clear-failed";

    private const string Page = "/updates", Api = "/api/v1/updates";

    /// <summary>Adds the routes.</summary>
    public static void Map(ActionRoutes actions, PageFrame frame, UpdateEngine engine, UpdateSchedule schedule)
    {
        actions.MapPage(Page, (_, caller) => Task.FromResult(frame.Render(caller, Page, "updates", UpdatePage.Content(Take(), caller.Session!))));
        actions.MapPage($"{Page}/live", (_, caller) => Task.FromResult(UpdatePage.Live(Take(), caller.Session!)));
        actions.MapRead(Api, (_, _) => Task.FromResult(Answers.Json(Take(), StatusJson.Default.DeviceUpdates)));

        actions.Map(Check, Page, (caller, form, _) => Job(engine.Check(Request(caller, form))));
        actions.Map(Install, Page, (caller, form, _) => Job(engine.Install(Request(caller, form))));
        actions.Map(Cancel, Page, (_, _, _) => { engine.Cancel(); return Done(); });
        actions.Map(Reboot, Page, async (_, form, cancellation) => Restarting(await engine.RebootAsync(Flag(form, "force") ?? false, cancellation)));
        actions.Map(Rollback, Page, async (caller, form, cancellation) => Restarting(await engine.RollbackAsync(caller.Name, Flag(form, "force") ?? false, cancellation)));
        actions.Map(MarkGood, Page, async (_, _, cancellation) => { await engine.MarkGoodAsync(cancellation); return Results.NoContent(); });
        actions.Map($"{Api}/mark-bad", Page, async (caller, form, cancellation) => { await engine.MarkBadAsync(form["slot"].ToString(), caller.Name, cancellation); return Results.NoContent(); });
        actions.Map(ClearFailed, Page, (_, form, _) => { engine.ClearFailed(form["version"].ToString()); return Done(); });
        actions.MapJob(Bundle, (caller, context) =>
        {
            var query = context.Request.Query;
            return engine.Install(new InstallRequest { By = caller.Name, Force = query["force"] == "true", Reboot = Flag(query["reboot"]) }, context.Request.Body);
        });

        DeviceUpdates Take() => DeviceUpdates.Of(engine, schedule);
    }

    private static InstallRequest Request(Caller caller, IFormCollection form) => new()
    {
        By = caller.Name,
        Source = Text(form, "source"),
        Channel = Text(form, "channel"),
        Version = Text(form, "version"),
        Force = Flag(form, "force") ?? false,
        Reboot = Flag(form, "reboot"),
    };

    private static string? Text(IFormCollection form, string name) => form[name].ToString().Trim() is { Length: > 0 } text ? text : null;

    private static bool? Flag(IFormCollection form, string name) => Flag(form[name]);

    private static bool? Flag(string? value) => value switch
    {
        null or "" => null,
        "true" => true,
        "false" => false,
        _ => throw new RequestRefused(StatusCodes.Status400BadRequest, $"\"{value}\" is neither true nor false.", "Leave it out, or say true or false."),
    };

    private static Task<IResult> Done() => Task.FromResult(Results.NoContent());

    private static Task<IResult> Job(UpdateJob job) => Task.FromResult(Answers.Job(job));

    private static IResult Restarting(IReadOnlyList<string> inhibitors) => inhibitors.Count == 0
        ? Results.NoContent()
        : throw new RequestRefused(StatusCodes.Status409Conflict, $"The restart is held up by {string.Join("; ", inhibitors)}.", "Wait for them, or insist (force=true).");
}
