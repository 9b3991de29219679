using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Assignments;

/// <summary>
/// Every change of an action, with what belongs to it: its messages, the rollout's counts, what the device has. Each is one
/// statement that does nothing when the action is somewhere else by now, so that what two servers do at once is done once.
/// Locks are taken in the order device (by who gives or takes away), action, member, group.
/// </summary>
/// <param name="context">The transaction.</param>
/// <param name="now">When.</param>
internal sealed class ActionJournal(FleetContext context, DateTimeOffset now)
{
    /// <summary>Messages that are kept of an action, and shown; a few more may be stored for a while.</summary>
    public const int MostMessages = 100;

    /// <summary>One message in so many looks for what is too old: to do so at each would cost as much as the message. Chance says which, as the numbers of one device's messages may never fall on every eighth.</summary>
    private const int MessagesPerSweep = 8;

    private static readonly ActionState[] NotBegun = [ActionState.WaitingForConfirmation, ActionState.Pending];

    /// <summary>Gives a device a release. What it had to do before is called off.</summary>
    public async Task<UpdateAction> GiveAsync(Device device, long releaseId, AssignmentTerms terms, CancellationToken cancellationToken)
    {
        await CancelAllAsync(context.Actions.Where(action => action.DeviceId == device.Id), "another release was given to it", cancellationToken);
        var given = new UpdateAction
        {
            DeviceId = device.Id,
            ReleaseId = releaseId,
            RolloutId = terms.RolloutId,
            GroupNumber = terms.GroupNumber,
            State = terms.NeedsConfirmation && !device.ConfirmsByItself ? ActionState.WaitingForConfirmation : ActionState.Pending,
            IsForced = terms.IsForced,
            Window = terms.Window,
            CreatedAt = now,
            ChangedAt = now,
        };
        context.Actions.Add(given);
        context.Signalled.Add(device.Id);
        await context.SaveChangesAsync(cancellationToken);
        context.Entry(given).State = EntityState.Detached;
        return given;
    }

    /// <summary>Calls an action off: at once when the device has not fetched it, else the device is asked.</summary>
    public async Task CancelAsync(UpdateAction action, string reason, CancellationToken cancellationToken)
    {
        if (await EndAsync(action, ActionState.Canceled, reason, NotBegun, cancellationToken)) return;
        if (await context.Actions.Where(row => row.Id == action.Id && row.IsActive && row.State != ActionState.Canceling)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, ActionState.Canceling).SetProperty(row => row.ChangedAt, now).SetProperty(row => row.Detail, reason), cancellationToken) > 0)
        {
            context.Signalled.Add(action.DeviceId);
            await SayAsync(action.Id, "", $"canceling: {reason}", cancellationToken);
        }
    }

    /// <summary>Calls off those that are not over.</summary>
    public async Task CancelAllAsync(IQueryable<UpdateAction> actions, string reason, CancellationToken cancellationToken)
    {
        foreach (var action in await actions.AsNoTracking().Where(row => row.IsActive).OrderBy(row => row.Id).ToListAsync(cancellationToken)) await CancelAsync(action, reason, cancellationToken);
    }

    /// <summary>Moves an action on. False when it is over, or is being called off.</summary>
    public async Task<bool> AdvanceAsync(long actionId, ActionState state, CancellationToken cancellationToken, params ActionState[] from) =>
        await context.Actions.Where(row => row.Id == actionId && row.IsActive && row.State != ActionState.Canceling && (from.Length == 0 || from.Contains(row.State)))
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, state).SetProperty(row => row.ChangedAt, now), cancellationToken) > 0;

    /// <summary>A device goes on with what it was asked to stop.</summary>
    public async Task KeepAsync(long actionId, string reason, CancellationToken cancellationToken)
    {
        if (await context.Actions.Where(row => row.Id == actionId && row.State == ActionState.Canceling)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, ActionState.Running).SetProperty(row => row.ChangedAt, now), cancellationToken) > 0)
            await SayAsync(actionId, "", $"the device goes on: {reason}", cancellationToken);
    }

    /// <summary>Ends an action. False when it is over already, or in none of the states asked for.</summary>
    public async Task<bool> EndAsync(UpdateAction action, ActionState end, string reason, IReadOnlyList<ActionState>? from, CancellationToken cancellationToken)
    {
        if (await context.Actions.Where(row => row.Id == action.Id && row.IsActive && (from == null || from.Contains(row.State)))
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, end).SetProperty(row => row.IsActive, false).SetProperty(row => row.ChangedAt, now).SetProperty(row => row.Detail, reason), cancellationToken) == 0) return false;
        await SayAsync(action.Id, "", end switch { ActionState.Finished => "finished", ActionState.Failed => $"failed: {reason}", _ => $"canceled: {reason}" }, cancellationToken);
        if (end == ActionState.Finished) // a rotation is no software
            await context.Devices.Where(row => row.Id == action.DeviceId && context.Releases.Any(release => release.Id == action.ReleaseId && release.Kind != ReleaseKind.Rotation)).ExecuteUpdateAsync(set => set.SetProperty(row => row.InstalledReleaseId, action.ReleaseId).SetProperty(row => row.WantsAttributes, true), cancellationToken);
        if (action.RolloutId is { } rollout) await CountAsync(action, rollout, end, reason, cancellationToken);
        return true;
    }

    /// <summary>Writes down what was said; beyond the limit the oldest go, now and then.</summary>
    public async Task SayAsync(long actionId, string execution, string text, CancellationToken cancellationToken)
    {
        var message = new ActionMessage { ActionId = actionId, At = now, Execution = execution, Text = text };
        context.Messages.Add(message);
        await context.SaveChangesAsync(cancellationToken);
        context.Entry(message).State = EntityState.Detached; // with a hundred thousand of them, each would be looked at again for each that follows
        if (Random.Shared.Next(MessagesPerSweep) != 0) return;
        var tooOld = await context.Messages.Where(row => row.ActionId == actionId).OrderByDescending(row => row.Id).Skip(MostMessages).Select(row => row.Id).FirstOrDefaultAsync(cancellationToken);
        if (tooOld > 0) await context.Messages.Where(row => row.ActionId == actionId && row.Id <= tooOld).ExecuteDeleteAsync(cancellationToken);
    }

    private async Task CountAsync(UpdateAction action, long rolloutId, ActionState end, string reason, CancellationToken cancellationToken)
    {
        var members = context.Members.Where(row => row.RolloutId == rolloutId && row.DeviceId == action.DeviceId && row.ActionId == action.Id && row.State == MemberState.Running);
        if (end == ActionState.Failed && await RetriesAsync(action, rolloutId, cancellationToken) is { } again)
        {
            await members.ExecuteUpdateAsync(set => set.SetProperty(row => row.ActionId, again.Id).SetProperty(row => row.Attempts, row => row.Attempts + 1).SetProperty(row => row.Reason, reason), cancellationToken);
            return;
        }
        var state = end switch { ActionState.Finished => MemberState.Finished, ActionState.Failed => MemberState.Failed, _ => MemberState.Canceled };
        if (await members.ExecuteUpdateAsync(set => set.SetProperty(row => row.State, state).SetProperty(row => row.Reason, reason), cancellationToken) == 0) return;
        await context.Groups.Where(row => row.RolloutId == rolloutId && row.Number == action.GroupNumber).ExecuteUpdateAsync(set => set
            .SetProperty(row => row.Running, row => row.Running - 1)
            .SetProperty(row => row.Finished, row => row.Finished + (state == MemberState.Finished ? 1 : 0))
            .SetProperty(row => row.Failed, row => row.Failed + (state == MemberState.Failed ? 1 : 0))
            .SetProperty(row => row.Canceled, row => row.Canceled + (state == MemberState.Canceled ? 1 : 0)), cancellationToken);
    }

    /// <summary>The next try of a device that failed, where the rollout gives it one.</summary>
    private async Task<UpdateAction?> RetriesAsync(UpdateAction action, long rolloutId, CancellationToken cancellationToken)
    {
        var rollout = await context.Rollouts.AsNoTracking().SingleAsync(row => row.Id == rolloutId, cancellationToken);
        if (rollout.State != RolloutState.Running || rollout.Retries == 0) return null;
        var attempts = await context.Members.Where(row => row.RolloutId == rolloutId && row.DeviceId == action.DeviceId).Select(row => row.Attempts).SingleAsync(cancellationToken);
        if (attempts > rollout.Retries) return null;
        var device = await context.Devices.SingleAsync(row => row.Id == action.DeviceId, cancellationToken);
        return device.State == DeviceState.Decommissioned ? null : await GiveAsync(device, action.ReleaseId, AssignmentTerms.Of(rollout, action.GroupNumber), cancellationToken);
    }
}
