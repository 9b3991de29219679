using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Inventory;

namespace Appliance.UpdateServer.Management;

/// <summary>The certificates of devices.</summary>
internal static class CertificateEndpoints
{
    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/devices/{id}/certificates", async (DeviceCertificates certificates, DeviceRegister devices, string id, CancellationToken stop) => await certificates.ListAsync(await devices.NumberOfAsync(id, stop), stop)).Requires(Role.Viewer).WithSummary("The certificates that the server issued to a device, the newest first.");
        api.MapPost("/devices/{id}/certificates/revoke", (DeviceCertificates certificates, HttpContext http, string id, CancellationToken stop) => certificates.RevokeAsync(id, http.Who(), stop)).Requires(Role.Admin).WithSummary("Revokes every certificate of a device, and says how many: it needs another way in then.");
    }
}
