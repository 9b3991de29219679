using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Service;

namespace Appliance.Supervisor.Web;

/// <summary>The fleet that the device belongs to over HTTP, for the owner.</summary>
internal static class FleetRoutes
{
    /// <summary>The page, and the routes that it sends forms to.</summary>
    public const string Page = "/fleet", Join = $"{Api}/join", Leave = $"{Api}/leave", Confirm = $"{Api}/confirm";

    private const string Api = "/api/v1/fleet";

    /// <summary>Adds the routes.</summary>
    public static void Map(ActionRoutes actions, PageFrame frame, FleetAgent agent)
    {
        actions.MapPage(Page, (_, caller) => Task.FromResult(frame.Render(caller, Page, "fleet", FleetPage.Content(agent.Status, caller.Session!))));
        actions.MapPage($"{Page}/live", (_, caller) => Task.FromResult(FleetPage.Live(agent.Status, caller.Session!)));
        actions.MapRead(Api, (_, _) => Task.FromResult(Results.Content(BusJson.Translate(FleetInterface.Bag(agent.Status))!.ToJsonString(), "application/json")));
        actions.Map(Join, Page, async (_, form, _) =>
        {
            await agent.JoinAsync(new JoinRequest { Server = FormText.Of(form["server"]), Tenant = FormText.Of(form["tenant"]), Trust = FormText.Of(form["trust"]), EnrolmentToken = FormText.Of(form["enrolmentToken"]), Token = FormText.Of(form["token"]), GatewayToken = FormText.Of(form["gatewayToken"]), Certificate = FormText.Of(form["certificate"]) });
            return Results.NoContent();
        });
        actions.Map(Leave, Page, async (_, _, _) =>
        {
            await agent.LeaveAsync();
            return Results.NoContent();
        });
        actions.Map(Confirm, Page, async (_, form, cancellationToken) =>
        {
            await agent.ConfirmAsync(form["agreed"] == "true", FormText.Of(form["words"]), cancellationToken);
            return Results.NoContent();
        });
    }
}
