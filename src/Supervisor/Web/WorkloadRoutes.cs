using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Web;

/// <summary>Workloads over HTTP, for the owner.</summary>
internal static class WorkloadRoutes
{
    /// <summary>The routes that pages send forms to, and the pages.</summary>
    public const string Page = "/workloads", One = $"{Page}/one", Apply = $"{Api}/apply", RollBack = $"{Api}/roll-back", Remove = $"{Api}/remove", Bundle = $"{Api}/bundle";

    private const string Api = "/api/v1/workloads";

    /// <summary>Adds the routes.</summary>
    public static void Map(ActionRoutes actions, PageFrame frame, WorkloadUpdates workloads, UpdateEngine engine)
    {
        actions.MapPage(Page, (_, caller) => Task.FromResult(frame.Render(caller, Page, "workloads", WorkloadPage.Content(workloads.Known, Job(), caller.Session!))));
        actions.MapPage($"{Page}/live", (_, caller) => Task.FromResult(WorkloadPage.Live(workloads.Known, Job(), caller.Session!)));
        actions.MapPage(One, async (context, caller) =>
        {
            var id = Id(context.Request.Query["id"]);
            var workload = await workloads.ReadAsync(id, context.RequestAborted);
            return frame.Render(caller, Page, id, WorkloadPage.One(workload, workload.Trouble is null && workload.Objects is { Count: > 0 } ? await LogAsync(id, context.RequestAborted) : []));
        });
        actions.MapRead(Api, (_, _) => Task.FromResult(Json(new JsonArray([.. workloads.Known.Select(workload => BusJson.Translate(WorkloadInterface.Status(workload)))]))));
        actions.MapRead($"{Api}/status", async (context, _) => Json(BusJson.Translate(WorkloadInterface.Status(await workloads.ReadAsync(Id(context.Request.Query["id"]), context.RequestAborted)))!));
        actions.MapRead($"{Api}/log", async (context, _) =>
        {
            var query = context.Request.Query;
            return Json(new JsonArray([.. (await workloads.ReadLogAsync(Id(query["id"]), FormText.Of(query["container"]), Lines(query["lines"]), context.RequestAborted)).Select(line => JsonValue.Create(line))]));
        });

        actions.Map($"{Api}/check", Page, (caller, form, _) => Begun(workloads.Check(Request(caller, form) with { Id = Id(form["id"]) })));
        actions.Map(Apply, Page, (caller, form, _) => Begun(workloads.Apply(Request(caller, form))));
        actions.Map(RollBack, Page, (caller, form, _) => Begun(workloads.RollBack(Id(form["id"]), caller.Name)));
        actions.Map(Remove, Page, (caller, form, _) => Begun(workloads.Remove(Id(form["id"]), caller.Name)));
        actions.MapJob(Bundle, (caller, context) => workloads.Apply(new WorkloadRequest { By = caller.Name, Force = context.Request.Query["force"] == "true" }, context.Request.Body));

        JobView? Job() => engine.Job is { View: { Workload: not null } view } ? view : null;

        // A container that has not started has none, and the rest of the page is worth seeing.
        async Task<IReadOnlyList<string>> LogAsync(string id, CancellationToken cancellationToken)
        {
            try
            {
                return await workloads.ReadLogAsync(id, null, null, cancellationToken);
            }
            catch (Exception e) when (e is Core.UserError or Worker.WorkerException)
            {
                return [e.Message];
            }
        }
    }

    private static WorkloadRequest Request(Caller caller, IFormCollection form) => new()
    {
        By = caller.Name,
        Id = FormText.Of(form["id"]),
        Source = FormText.Of(form["source"]),
        Channel = FormText.Of(form["channel"]),
        Version = FormText.Of(form["version"]),
        Force = form["force"] == "true",
    };

    private static string Id(string? value) => FormText.Of(value) ?? throw new RequestRefused(StatusCodes.Status400BadRequest, "No workload is named.", "Say which one: id=…");

    private static int? Lines(string? value) => FormText.Of(value) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var lines) ? lines
        : throw new RequestRefused(StatusCodes.Status400BadRequest, $"\"{text}\" is no number of lines.", "Example: lines=100");

    private static IResult Json(JsonNode node) => Results.Content(node.ToJsonString(), "application/json");

    private static Task<IResult> Begun(UpdateJob job) => Task.FromResult(Answers.Job(job));
}
