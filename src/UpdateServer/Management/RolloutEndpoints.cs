using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Rollouts;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Management;

/// <summary>Rollouts.</summary>
internal static class RolloutEndpoints
{
    /// <summary>A rollout, as the API shows it.</summary>
    public sealed record RolloutView(long Id, string Name, string Release, string Filter, RolloutState State, string? Reason, int SuccessPercent, int ErrorPercent, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset ChangedAt, IReadOnlyList<GroupView> Groups);

    /// <summary>A group, as the API shows it.</summary>
    public sealed record GroupView(int Number, int Total, int Running, int Finished, int Failed, int Canceled, DateTimeOffset? StartedAt);

    /// <summary>A device of a rollout, as the API shows it.</summary>
    public sealed record MemberView(string Device, int Group, MemberState State, int Attempts, string? Reason);

    /// <summary>Why it is paused.</summary>
    public sealed record PauseReason(string? Reason);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/rollouts", (FleetDatabase database, CancellationToken stop) => ReadAsync(database, null, stop)).Requires(Role.Viewer).WithSummary("Rollouts, the newest first.");
        api.MapPost("/rollouts", async (RolloutBook book, HttpContext http, RolloutPlan plan, CancellationToken stop) => new { (await book.CreateAsync(plan, http.Who(), stop)).Id }).Requires(Role.Operator).WithSummary("Makes a rollout; it begins when it is started.");
        api.MapGet("/rollouts/{id:long}", async (FleetDatabase database, long id, CancellationToken stop) => (await ReadAsync(database, id, stop))[0]).Requires(Role.Viewer).WithSummary("One rollout with its groups.");
        api.MapGet("/rollouts/{id:long}/devices", ListMembersAsync).Requires(Role.Viewer).WithSummary("The devices of a rollout.");
        api.MapPost("/rollouts/{id:long}/approve", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.ApproveAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Lets a rollout start that somebody else made.");
        api.MapPost("/rollouts/{id:long}/start", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.StartAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Starts the first group.");
        api.MapPost("/rollouts/{id:long}/pause", (RolloutBook book, HttpContext http, long id, PauseReason? given, CancellationToken stop) => book.PauseAsync(id, http.Who(), given?.Reason, stop)).Requires(Role.Operator).WithSummary("Starts no further group.");
        api.MapPost("/rollouts/{id:long}/resume", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.ResumeAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Goes on.");
        api.MapPost("/rollouts/{id:long}/cancel", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.CancelAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Calls it off.");
        api.MapPost("/rollouts/{id:long}/retry", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.RetryAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Tries the devices that failed once more.");
    }

    private static async Task<IReadOnlyList<RolloutView>> ReadAsync(FleetDatabase database, long? id, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var rows = await context.Rollouts.AsNoTracking().Where(rollout => id == null || rollout.Id == id).OrderByDescending(rollout => rollout.Id).Take(ManagementApi.MostRows).Include(rollout => rollout.Groups).ToListAsync(cancellationToken);
        if (id is not null && rows.Count == 0) throw new MissingException($"rollout {id}");
        var wanted = rows.Select(rollout => rollout.ReleaseId).Distinct().ToList();
        var releases = await context.NamesOfAsync(wanted, cancellationToken);
        return [.. rows.Select(rollout => new RolloutView(rollout.Id, rollout.Name, releases[rollout.ReleaseId], rollout.Filter, rollout.State, rollout.Reason, rollout.SuccessPercent, rollout.ErrorPercent, rollout.CreatedBy, rollout.CreatedAt, rollout.ChangedAt,
            [.. rollout.Groups.OrderBy(group => group.Number).Select(group => new GroupView(group.Number, group.Total, group.Running, group.Finished, group.Failed, group.Canceled, group.StartedAt))]))];
    }

    private static async Task<IReadOnlyList<MemberView>> ListMembersAsync(FleetDatabase database, long id, string? state, int? skip, int? take, CancellationToken cancellationToken)
    {
        MemberState? wanted = state is null ? null : Enum.TryParse<MemberState>(state, ignoreCase: true, out var parsed) ? parsed : throw new UserError($"There is no state {state}.", $"They are {string.Join(", ", Enum.GetNames<MemberState>()).ToLowerInvariant()}.");
        await using var context = database.Open();
        return await context.Members.AsNoTracking().Where(member => member.RolloutId == id && (wanted == null || member.State == wanted)).OrderBy(member => member.GroupNumber).ThenBy(member => member.DeviceId)
            .Skip(Math.Max(0, skip ?? 0)).Take(Math.Clamp(take ?? 100, 1, ManagementApi.MostRows))
            .Join(context.Devices, member => member.DeviceId, device => device.Id, (member, device) => new MemberView(device.ControllerId, member.GroupNumber, member.State, member.Attempts, member.Reason)).ToListAsync(cancellationToken);
    }
}
