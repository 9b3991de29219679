using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Inventory;
using Appliance.UpdateServer.Releases;

namespace Appliance.UpdateServer.Management;

/// <summary>Devices: who there is, what they run, what they have to do.</summary>
internal static class DeviceEndpoints
{
    /// <summary>A device to be made.</summary>
    public sealed record NewDevice(string Id, string? Name);

    /// <summary>A device's own token, which is shown once.</summary>
    public sealed record DeviceToken(string Id, string Token);

    /// <summary>A rotation for one device.</summary>
    public sealed record NewRotation(string Credential, bool Forced);

    /// <summary>A label's value.</summary>
    public sealed record LabelValue(string? Value);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/overview", (FleetOverview overview, CancellationToken stop) => overview.CountAsync(stop)).Requires(Role.Viewer).WithSummary("Numbers of the fleet: versions, health, who is silent.");
        api.MapGet("/devices", (DeviceRegister devices, string? filter, int? skip, int? take, CancellationToken stop) => devices.ListAsync(filter ?? "", skip ?? 0, ManagementApi.Rows(take, 50), stop)).Requires(Role.Viewer).WithSummary("Devices by filter, the most recently seen first.");
        api.MapPost("/devices", async (DeviceRegister devices, HttpContext http, NewDevice given, CancellationToken stop) => new DeviceToken(given.Id, await devices.CreateAsync(given.Id, given.Name, http.Who(), stop))).Requires(Role.Admin).WithSummary("Makes a device known, and gives its token.");
        api.MapGet("/devices/{id}", (DeviceRegister devices, string id, CancellationToken stop) => devices.GetAsync(id, stop)).Requires(Role.Viewer).WithSummary("One device.");
        api.MapDelete("/devices/{id}", (DeviceRegister devices, HttpContext http, string id, CancellationToken stop) => devices.DecommissionAsync(id, http.Who(), stop)).Requires(Role.Admin).WithSummary("Takes a device out of the fleet; it is refused from then on.");
        api.MapPost("/devices/{id}/token", async (DeviceRegister devices, HttpContext http, string id, CancellationToken stop) => new DeviceToken(id, await devices.RenewTokenAsync(id, http.Who(), stop))).Requires(Role.Admin).WithSummary("Gives a device a new token; the old one holds no longer. A device that had left the fleet is back with it.");
        api.MapPut("/devices/{id}/labels/{label}", (DeviceRegister devices, HttpContext http, string id, string label, LabelValue given, CancellationToken stop) => devices.SetLabelAsync(id, label, given.Value, http.Who(), stop)).Requires(Role.Operator).WithSummary("Sets a label; an empty value takes it away.");
        api.MapGet("/devices/{id}/log", async (DeviceReports reports, DeviceRegister devices, string id, int? priority, string? unit, int? take, CancellationToken stop) => await reports.LogAsync(await devices.NumberOfAsync(id, stop), priority ?? 7, unit, ManagementApi.Rows(take, 200), stop)).Requires(Role.Viewer).WithSummary("Lines of a device's log that it has sent, the newest first.");
        api.MapGet("/devices/{id}/actions", async (DeviceRegister devices, string id, int? take, CancellationToken stop) => await devices.ListActionsAsync(await devices.NumberOfAsync(id, stop), ManagementApi.Rows(take, 20), stop)).Requires(Role.Viewer).WithSummary("What a device was given, the newest first.");
        api.MapPost("/devices/{id}/actions", (DeviceRegister devices, HttpContext http, string id, DeviceRegister.Assignment given, CancellationToken stop) => devices.AssignAsync(id, given, http.Who(), stop)).Requires(Role.Operator).WithSummary("Gives a device a release.");
        api.MapPost("/devices/{id}/rotations", (RotationBook rotations, HttpContext http, string id, NewRotation given, CancellationToken stop) => rotations.GiveAsync(id, given.Credential, given.Forced, http.Who(), stop)).Requires(Role.Operator).WithSummary("Makes a release without files, by which the device makes a credential anew, and gives it to the device; both or nothing.");
        api.MapDelete("/devices/{id}/actions/{action:long}", (DeviceRegister devices, HttpContext http, string id, long action, CancellationToken stop) => devices.CancelAsync(id, action, http.Who(), stop)).Requires(Role.Operator).WithSummary("Calls an action off.");
    }
}
