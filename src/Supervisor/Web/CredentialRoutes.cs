using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Web;

/// <summary>Credentials over HTTP, for the owner.</summary>
internal static class CredentialRoutes
{
    /// <summary>The page, and the route that it sends forms to.</summary>
    public const string Page = "/credentials", Rotate = $"{Api}/rotate";

    private const string Api = "/api/v1/credentials";

    /// <summary>Adds the routes.</summary>
    public static void Map(ActionRoutes actions, PageFrame frame, CredentialDesk desk, UpdateEngine engine)
    {
        actions.MapPage(Page, (_, caller) => Task.FromResult(frame.Render(caller, Page, "credentials", Html.Live($"{Page}/live", CredentialPage.Content(desk.Known, Job(), caller.Session!)))));
        actions.MapPage($"{Page}/live", (_, caller) => Task.FromResult(CredentialPage.Content(desk.Known, Job(), caller.Session!)));
        actions.MapRead(Api, (_, _) => Task.FromResult(Results.Content(new JsonArray([.. desk.Known.Select(credential => BusJson.Translate(CredentialInterface.Bag(credential)))]).ToJsonString(), "application/json")));
        actions.Map(Rotate, Page, (caller, form, _) => Task.FromResult(Answers.Job(desk.Rotate(Name(form["name"]), caller.Name, form["emergency"] == "true"))));
        actions.MapJob($"{Api}/set", (caller, context) => desk.Rotate(Name(context.Request.Query["name"]), caller.Name, context.Request.Query["emergency"] == "true", context.Request.Body));

        JobView? Job() => engine.Job is { View: { Kind: CredentialDesk.JobKind } view } ? view : null;
    }

    private static string Name(string? given) => FormText.Of(given) ?? throw new UserError("No credential is named.", "GET /api/v1/credentials lists them; name=all is all that the device can change by itself.");
}
