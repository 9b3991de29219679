using Appliance.UpdateServer.Access;

namespace Appliance.UpdateServer.Management;

/// <summary>Keys, enrolment, and who did what.</summary>
internal static class AccessEndpoints
{
    /// <summary>A key to be made.</summary>
    public sealed record NewKey(string Name, Role Role, int? Days);

    /// <summary>A secret that is shown once.</summary>
    public sealed record Secret(string Name, string Value);

    /// <summary>An enrolment token to be made.</summary>
    public sealed record NewEnrolmentToken(string Name, int? Uses, int? Days);

    /// <summary>A device that wants to become part of the fleet.</summary>
    public sealed record EnrolmentRequest(string Token, string Id);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/keys", (KeyRing keys, CancellationToken stop) => keys.ListAsync(stop)).Requires(Role.Admin).WithSummary("Keys, without their secrets.");
        api.MapPost("/keys", async (KeyRing keys, HttpContext http, NewKey given, CancellationToken stop) => new Secret(given.Name, await keys.CreateAsync(given.Name, given.Role, given.Days, http.Who(), stop))).Requires(Role.Admin).WithSummary("Makes a key; its secret is shown once.");
        api.MapDelete("/keys/{id:long}", (KeyRing keys, HttpContext http, long id, CancellationToken stop) => keys.RevokeAsync(id, http.Who(), stop)).Requires(Role.Admin).WithSummary("Takes a key back.");
        api.MapPost("/enrolment-tokens", async (Enrolment enrolment, HttpContext http, NewEnrolmentToken given, CancellationToken stop) => new Secret(given.Name, await enrolment.CreateAsync(given.Name, given.Uses ?? 1, given.Days ?? 7, http.Who(), stop))).Requires(Role.Admin).WithSummary("Makes a token that lets devices in; it is shown once.");
        api.MapPost("/enrol", async (Enrolment enrolment, EnrolmentRequest given, CancellationToken stop) => new DeviceEndpoints.DeviceToken(given.Id, await enrolment.EnrolAsync(given.Token, given.Id, stop))).RequireRateLimiting(Serve.RateLimits.Strangers).WithSummary("Lets a device in by an enrolment token, and gives it its own.");
        api.MapGet("/audit", (AuditLog audit, long? before, int? take, CancellationToken stop) => audit.ReadAsync(before, ManagementApi.Rows(take, 100), stop)).Requires(Role.Viewer).WithSummary("Who did what, the newest first.");
    }
}
