using Appliance.Supervisor.Device;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Support;

namespace Appliance.Supervisor.Web;

/// <summary>The whole state, the network, and what is sent to somebody who helps; for the owner.</summary>
internal static class DeviceRoutes
{
    /// <summary>Where a support bundle is.</summary>
    public const string Support = "/api/v1/support";

    private const string Page = "/network", Api = "/api/v1/network";

    /// <summary>Adds the routes.</summary>
    public static void Map(ActionRoutes actions, PageFrame frame, DeviceView device, SupportBundle bundle, SupervisorObject supervisor)
    {
        actions.MapPage(Page, (_, caller) => Task.FromResult(frame.Render(caller, Page, "network and identity", Html.Live($"{Page}/live", NetworkPage.Content(DeviceNetwork.Take(device))))));
        actions.MapPage($"{Page}/live", (_, _) => Task.FromResult(NetworkPage.Content(DeviceNetwork.Take(device))));
        actions.MapRead(Api, (_, _) => Task.FromResult(Answers.Json(DeviceNetwork.Take(device), StatusJson.Default.DeviceNetwork)));
        actions.MapRead("/api/v1/state", (_, _) => Task.FromResult(Results.Content(supervisor.Read().ToJsonString(), "application/json")));
        actions.MapRead(Support, (context, caller) =>
        {
            context.Response.Headers.ContentDisposition = $"attachment; filename=\"{bundle.FileName}\"";
            return Task.FromResult(Results.Stream(to => bundle.WriteAsync(to, caller.Name, context.RequestAborted), "application/gzip"));
        });
    }
}
