using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Management;

/// <summary>Keys, enrolment, and who did what.</summary>
internal static class AccessEndpoints
{
    private const int MostUses = 100_000, MostDays = 3650;

    /// <summary>A key to be made.</summary>
    public sealed record NewKey(string Name, Role Role, int? Days);

    /// <summary>A secret that is shown once.</summary>
    public sealed record Secret(string Name, string Value);

    /// <summary>A key, as the API shows it.</summary>
    public sealed record KeyView(long Id, string Name, Role Role, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt);

    /// <summary>An enrolment token to be made.</summary>
    public sealed record NewEnrolmentToken(string Name, int? Uses, int? Days);

    /// <summary>A device that wants to become part of the fleet.</summary>
    public sealed record EnrolmentRequest(string Token, string Id);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/keys", async (FleetDatabase database, CancellationToken stop) =>
        {
            await using var context = database.Open();
            return await context.Keys.AsNoTracking().OrderBy(key => key.Id).Select(key => new KeyView(key.Id, key.Name, key.Role, key.CreatedAt, key.ExpiresAt)).ToListAsync(stop);
        }).Requires(Role.Admin).WithSummary("Keys, without their secrets.");
        api.MapPost("/keys", CreateKeyAsync).Requires(Role.Admin).WithSummary("Makes a key; its secret is shown once.");
        api.MapDelete("/keys/{id:long}", RevokeKeyAsync).Requires(Role.Admin).WithSummary("Takes a key back.");
        api.MapPost("/enrolment-tokens", CreateTokenAsync).Requires(Role.Admin).WithSummary("Makes a token that lets devices in; it is shown once.");
        api.MapPost("/enrol", async (Enrolment enrolment, EnrolmentRequest given, CancellationToken stop) => new DeviceEndpoints.DeviceToken(given.Id, await enrolment.EnrolAsync(given.Token, given.Id, stop))).RequireRateLimiting(Serve.RateLimits.Strangers).WithSummary("Lets a device in by an enrolment token, and gives it its own.");
        api.MapGet("/audit", async (FleetDatabase database, long? before, int? take, CancellationToken stop) =>
        {
            await using var context = database.Open();
            return await context.Audit.AsNoTracking().Where(entry => before == null || entry.Id < before).OrderByDescending(entry => entry.Id).Take(Math.Clamp(take ?? 100, 1, ManagementApi.MostRows)).ToListAsync(stop);
        }).Requires(Role.Viewer).WithSummary("Who did what, the newest first.");
    }

    private static async Task<Secret> CreateKeyAsync(KeyAuthentication keys, HttpContext http, NewKey given, CancellationToken cancellationToken)
    {
        if (given.Name.Trim().Length is 0 or > FleetContext.LongestName) throw new UserError("A key needs a name.", "Whose it is: the audit log says it.");
        if (given.Days is < 1 or > MostDays) throw new UserError($"days is a number from 1 to {MostDays}.");
        return new Secret(given.Name, await keys.CreateAsync(given.Name.Trim(), given.Role, given.Days is { } days ? TimeSpan.FromDays(days) : null, http.Who(), cancellationToken));
    }

    private static Task RevokeKeyAsync(FleetDatabase database, TimeProvider time, HttpContext http, long id, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var key = await context.Keys.FirstOrDefaultAsync(row => row.Id == id, cancellationToken) ?? throw new MissingException($"key {id}");
        if (key.Role == Role.Admin && await context.Keys.CountAsync(row => row.Role == Role.Admin, cancellationToken) == 1) throw new UserError("This is the last key of an Admin.", "Make another one first.");
        context.Keys.Remove(key);
        context.Note(time.GetUtcNow(), http.Who(), "key.revoke", $"key {key.Name}");
    }, cancellationToken);

    private static async Task<Secret> CreateTokenAsync(Enrolment enrolment, HttpContext http, NewEnrolmentToken given, CancellationToken cancellationToken)
    {
        if (given.Name.Trim().Length is 0 or > FleetContext.LongestName) throw new UserError("A token needs a name.", "What it is for: the audit log says it.");
        var (uses, days) = (given.Uses ?? 1, given.Days ?? 7);
        if (uses is < 1 or > MostUses || days is < 1 or > MostDays) throw new UserError($"uses is a number from 1 to {MostUses}, days one from 1 to {MostDays}.");
        return new Secret(given.Name, await enrolment.CreateAsync(given.Name.Trim(), uses, TimeSpan.FromDays(days), http.Who(), cancellationToken));
    }
}
