using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>Rollouts, as people see them.</summary>
internal sealed class RolloutReader(FleetDatabase database)
{
    /// <summary>A rollout.</summary>
    public sealed record RolloutView(long Id, string Name, string Release, string Filter, RolloutState State, string? Reason, int SuccessPercent, int ErrorPercent, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset ChangedAt, IReadOnlyList<GroupView> Groups);

    /// <summary>A group.</summary>
    public sealed record GroupView(int Number, int Total, int Running, int Finished, int Failed, int Canceled, DateTimeOffset? StartedAt);

    /// <summary>A device of a rollout.</summary>
    public sealed record MemberView(string Device, int Group, MemberState State, int Attempts, string? Reason);

    /// <summary>Rollouts, the newest first.</summary>
    public Task<IReadOnlyList<RolloutView>> ListAsync(int take, CancellationToken cancellationToken) => ReadAsync(null, take, cancellationToken);

    /// <summary>One rollout with its groups.</summary>
    /// <exception cref="MissingException">There is none such.</exception>
    public async Task<RolloutView> GetAsync(long id, CancellationToken cancellationToken) => (await ReadAsync(id, 1, cancellationToken)) is [var rollout] ? rollout : throw new MissingException($"rollout {id}");

    /// <summary>The devices of a rollout, by group.</summary>
    /// <param name="id">The rollout.</param>
    /// <param name="state">Only those in this state; null for all.</param>
    /// <param name="skip">Leaves out so many.</param>
    /// <param name="take">At most so many.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">There is no such state.</exception>
    public async Task<IReadOnlyList<MemberView>> ListMembersAsync(long id, string? state, int skip, int take, CancellationToken cancellationToken)
    {
        MemberState? wanted = state is null ? null : Enum.TryParse<MemberState>(state, ignoreCase: true, out var parsed) ? parsed : throw new UserError($"There is no state {state}.", $"They are {string.Join(", ", Enum.GetNames<MemberState>()).ToLowerInvariant()}.");
        await using var context = database.Open();
        return await context.Members.AsNoTracking().Where(member => member.RolloutId == id && (wanted == null || member.State == wanted)).OrderBy(member => member.GroupNumber).ThenBy(member => member.DeviceId)
            .Skip(Math.Max(0, skip)).Take(take)
            .Join(context.Devices, member => member.DeviceId, device => device.Id, (member, device) => new MemberView(device.ControllerId, member.GroupNumber, member.State, member.Attempts, member.Reason)).ToListAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<RolloutView>> ReadAsync(long? id, int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var rows = await context.Rollouts.AsNoTracking().Where(rollout => id == null || rollout.Id == id).OrderByDescending(rollout => rollout.Id).Take(take).Include(rollout => rollout.Groups).ToListAsync(cancellationToken);
        var wanted = rows.Select(rollout => rollout.ReleaseId).Distinct().ToList();
        var releases = await context.NamesOfAsync(wanted, cancellationToken);
        return [.. rows.Select(rollout => new RolloutView(rollout.Id, rollout.Name, releases[rollout.ReleaseId], rollout.Filter, rollout.State, rollout.Reason, rollout.SuccessPercent, rollout.ErrorPercent, rollout.CreatedBy, rollout.CreatedAt, rollout.ChangedAt,
            [.. rollout.Groups.OrderBy(group => group.Number).Select(group => new GroupView(group.Number, group.Total, group.Running, group.Finished, group.Failed, group.Canceled, group.StartedAt))]))];
    }
}
