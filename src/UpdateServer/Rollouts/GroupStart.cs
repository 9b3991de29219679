using Appliance.UpdateServer.Assignments;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>Starts a group: its devices get the release, all in one transaction.</summary>
/// <param name="context">The transaction.</param>
/// <param name="now">When.</param>
internal sealed class GroupStart(FleetContext context, DateTimeOffset now)
{
    /// <summary>Starts a group, unless another server has.</summary>
    public async Task<bool> TryAsync(Rollout rollout, int number, CancellationToken cancellationToken)
    {
        // Whoever counts up is the one who starts it.
        if (await context.Rollouts.Where(row => row.Id == rollout.Id && row.State == RolloutState.Running && row.StartedGroups == number - 1)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.StartedGroups, number), cancellationToken) == 0) return false;
        var (id, stamp) = (rollout.Id, now.ToUnixTimeMilliseconds());
        await PassOverAsync(rollout, number, cancellationToken);
        await CancelEarlierAsync(rollout, number, cancellationToken);
        await context.Database.ExecuteSqlAsync($"""
            INSERT INTO "Actions" ("DeviceId", "ReleaseId", "RolloutId", "GroupNumber", "State", "IsActive", "IsForced", "Window", "CreatedAt", "ChangedAt")
            SELECT member."DeviceId", {rollout.ReleaseId}, {id}, {number},
                CASE WHEN {rollout.NeedsConfirmation} AND NOT device."ConfirmsByItself" THEN {(int)ActionState.WaitingForConfirmation} ELSE {(int)ActionState.Pending} END,
                {true}, {rollout.IsForced}, {rollout.Window}, {stamp}, {stamp}
            FROM "Members" AS member JOIN "Devices" AS device ON device."Id" = member."DeviceId"
            WHERE member."RolloutId" = {id} AND member."GroupNumber" = {number} AND member."State" = {(int)MemberState.Waiting}
            """, cancellationToken);
        var started = await context.Database.ExecuteSqlAsync($"""
            UPDATE "Members" SET "State" = {(int)MemberState.Running}, "Attempts" = 1, "ActionId" = action."Id"
            FROM "Actions" AS action
            WHERE action."RolloutId" = {id} AND action."DeviceId" = "Members"."DeviceId"
                AND "Members"."RolloutId" = {id} AND "Members"."GroupNumber" = {number} AND "Members"."State" = {(int)MemberState.Waiting}
            """, cancellationToken);
        context.Signalled.UnionWith(await context.Members.Where(row => row.RolloutId == id && row.GroupNumber == number && row.State == MemberState.Running).Select(row => row.DeviceId).ToListAsync(cancellationToken));
        await context.Groups.Where(row => row.RolloutId == id && row.Number == number).ExecuteUpdateAsync(set => set.SetProperty(row => row.StartedAt, now).SetProperty(row => row.Running, started), cancellationToken);
        await TakeBackAsync(id, number, cancellationToken);
        return true;
    }

    /// <summary>Devices that left the fleet, or that run the release by now.</summary>
    private async Task PassOverAsync(Rollout rollout, int number, CancellationToken cancellationToken)
    {
        var waiting = context.Members.Where(row => row.RolloutId == rollout.Id && row.GroupNumber == number && row.State == MemberState.Waiting);
        var gone = await waiting.Where(row => context.Devices.Any(device => device.Id == row.DeviceId && device.State == DeviceState.Decommissioned))
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, MemberState.Canceled).SetProperty(row => row.Reason, "it left the fleet"), cancellationToken);
        var done = await waiting.Where(row => context.Devices.Any(device => device.Id == row.DeviceId && device.InstalledReleaseId == rollout.ReleaseId))
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, MemberState.Finished).SetProperty(row => row.Reason, "it ran it already"), cancellationToken);
        await context.Groups.Where(row => row.RolloutId == rollout.Id && row.Number == number).ExecuteUpdateAsync(set => set.SetProperty(row => row.Canceled, row => row.Canceled + gone).SetProperty(row => row.Finished, row => row.Finished + done), cancellationToken);
    }

    /// <summary>Devices that were taken out of the fleet while the others got the release.</summary>
    private async Task TakeBackAsync(long rollout, int number, CancellationToken cancellationToken)
    {
        var gone = await context.Actions.AsNoTracking().Where(row => row.RolloutId == rollout && row.GroupNumber == number && row.IsActive && context.Devices.Any(device => device.Id == row.DeviceId && device.State == DeviceState.Decommissioned)).ToListAsync(cancellationToken);
        foreach (var action in gone) await new ActionJournal(context, now).EndAsync(action, ActionState.Canceled, "the device left the fleet", null, cancellationToken);
    }

    private Task CancelEarlierAsync(Rollout rollout, int number, CancellationToken cancellationToken) => new ActionJournal(context, now).CancelAllAsync(
        context.Actions.Where(action => context.Members.Any(row => row.RolloutId == rollout.Id && row.GroupNumber == number && row.State == MemberState.Waiting && row.DeviceId == action.DeviceId)),
        $"rollout {rollout.Name} came", cancellationToken);
}
