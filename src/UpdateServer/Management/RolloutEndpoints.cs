using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Rollouts;

namespace Appliance.UpdateServer.Management;

/// <summary>Rollouts.</summary>
internal static class RolloutEndpoints
{
    /// <summary>Why it is paused.</summary>
    public sealed record PauseReason(string? Reason);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/rollouts", (RolloutReader rollouts, int? take, CancellationToken stop) => rollouts.ListAsync(ManagementApi.Rows(take, 100), stop)).Requires(Role.Viewer).WithSummary("Rollouts, the newest first.");
        api.MapPost("/rollouts", async (RolloutBook book, HttpContext http, RolloutPlan plan, CancellationToken stop) => new { (await book.CreateAsync(plan, http.Who(), stop)).Id }).Requires(Role.Operator).WithSummary("Makes a rollout; it begins when it is started.");
        api.MapGet("/rollouts/{id:long}", (RolloutReader rollouts, long id, CancellationToken stop) => rollouts.GetAsync(id, stop)).Requires(Role.Viewer).WithSummary("One rollout with its groups.");
        api.MapGet("/rollouts/{id:long}/devices", (RolloutReader rollouts, long id, string? state, int? skip, int? take, CancellationToken stop) => rollouts.ListMembersAsync(id, state, skip ?? 0, ManagementApi.Rows(take, 100), stop)).Requires(Role.Viewer).WithSummary("The devices of a rollout.");
        api.MapPost("/rollouts/{id:long}/approve", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.ApproveAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Lets a rollout start that somebody else made.");
        api.MapPost("/rollouts/{id:long}/start", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.StartAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Starts the first group.");
        api.MapPost("/rollouts/{id:long}/pause", (RolloutBook book, HttpContext http, long id, PauseReason? given, CancellationToken stop) => book.PauseAsync(id, http.Who(), given?.Reason, stop)).Requires(Role.Operator).WithSummary("Starts no further group.");
        api.MapPost("/rollouts/{id:long}/resume", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.ResumeAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Goes on.");
        api.MapPost("/rollouts/{id:long}/cancel", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.CancelAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Calls it off.");
        api.MapPost("/rollouts/{id:long}/retry", (RolloutBook book, HttpContext http, long id, CancellationToken stop) => book.RetryAsync(id, http.Who(), stop)).Requires(Role.Operator).WithSummary("Tries the devices that failed once more.");
    }
}
