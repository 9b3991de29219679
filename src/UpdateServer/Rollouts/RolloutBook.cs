using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.UpdateServer.Assignments;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>What people do with rollouts.</summary>
internal sealed class RolloutBook(FleetDatabase database, TimeProvider time)
{
    private const int RowsPerStatement = 500;

    /// <summary>Makes a rollout. Who is in which group is settled here: by a hash of the rollout and the device, so nobody is always first.</summary>
    /// <exception cref="UserError">The plan makes no sense, or there is nobody it is for.</exception>
    public Task<Rollout> CreateAsync(RolloutPlan plan, string who, CancellationToken cancellationToken)
    {
        plan.Require();
        var filter = DeviceFilter.Parse(plan.Filter);
        return database.WriteAsync(async context =>
        {
            var release = await context.Releases.FirstOrDefaultAsync(row => row.Id == plan.Release, cancellationToken) ?? throw new UserError($"There is no release {plan.Release}.");
            if (!release.IsAvailable) throw new UserError($"{release.Name} {release.Version} is no longer in the repository.", "Publish it again, or choose another.");
            var devices = await filter.Apply(context.Devices.AsNoTracking())
                .Where(device => device.InstalledReleaseId != release.Id && (release.Board == "" || !device.Attributes.Any(attribute => attribute.Key == DeviceAttribute.Board && attribute.Value != release.Board)))
                .Select(device => new { device.Id, device.ControllerId }).ToListAsync(cancellationToken);
            if (devices.Count == 0) throw new UserError("No device that the filter names lacks this release.", "GET /api/v1/devices?filter=… shows whom a filter names.");
            var now = time.GetUtcNow();
            var rollout = new Rollout
            {
                Name = plan.Name.Trim(),
                ReleaseId = release.Id,
                Filter = plan.Filter,
                State = plan.Approval ? RolloutState.WaitingForApproval : RolloutState.Ready,
                SuccessPercent = plan.SuccessPercent,
                ErrorPercent = plan.ErrorPercent,
                Retries = plan.Retries,
                IsForced = plan.Forced,
                NeedsConfirmation = plan.Confirm,
                Window = plan.Window,
                CreatedBy = who,
                CreatedAt = now,
                ChangedAt = now,
            };
            var sizes = plan.Sizes(devices.Count);
            for (var i = 0; i < sizes.Count; i++) rollout.Groups.Add(new RolloutGroup { Number = i + 1, Total = sizes[i] });
            context.Rollouts.Add(rollout);
            await context.SaveChangesAsync(cancellationToken);
            var order = devices.OrderBy(device => Place(rollout.Id, device.ControllerId), StringComparer.Ordinal).Select(device => device.Id).ToList();
            await AddMembersAsync(context, rollout.Id, order, sizes, cancellationToken);
            Note(context, rollout, who, "create", $"{release.Name} {release.Version} for {devices.Count} devices in {sizes.Count} groups");
            return rollout;
        }, cancellationToken);
    }

    /// <summary>Lets a rollout start that somebody else made.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task ApproveAsync(long id, string who, CancellationToken cancellationToken) => ChangeAsync(id, who, "approve", async (_, rollout) =>
    {
        Require(rollout, "be approved", RolloutState.WaitingForApproval);
        if (rollout.CreatedBy == who) throw new UserError("Who has made a rollout cannot approve it.", "Ask somebody else with a key of their own.");
        Set(rollout, RolloutState.Ready, $"approved by {who}");
        await Task.CompletedTask;
    }, cancellationToken);

    /// <summary>Starts it: the first group begins.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task StartAsync(long id, string who, CancellationToken cancellationToken) => ChangeAsync(id, who, "start", async (context, rollout) =>
    {
        Require(rollout, "start", RolloutState.Ready);
        Set(rollout, RolloutState.Running, $"started by {who}");
        await context.SaveChangesAsync(cancellationToken);
        await new GroupStart(context, time.GetUtcNow()).TryAsync(rollout, 1, cancellationToken);
    }, cancellationToken);

    /// <summary>Starts no further group. Devices that have it go on.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task PauseAsync(long id, string who, string? reason, CancellationToken cancellationToken) => ChangeAsync(id, who, "pause", (_, rollout) =>
    {
        Require(rollout, "be paused", RolloutState.Running);
        Set(rollout, RolloutState.Paused, $"paused by {who}{(string.IsNullOrWhiteSpace(reason) ? "" : $": {reason}")}");
        return Task.CompletedTask;
    }, cancellationToken);

    /// <summary>Goes on. A group whose failures paused it is not judged by them again, but by further ones.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task ResumeAsync(long id, string who, CancellationToken cancellationToken) => ChangeAsync(id, who, "resume", async (context, rollout) =>
    {
        Require(rollout, "go on", RolloutState.Paused);
        foreach (var group in await context.Groups.Where(row => row.RolloutId == id).ToListAsync(cancellationToken)) group.ForgivenFailures = group.Failed;
        Set(rollout, RolloutState.Running, $"resumed by {who}");
    }, cancellationToken);

    /// <summary>Calls it off: devices that have not begun do not, those that have are asked to stop.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task CancelAsync(long id, string who, CancellationToken cancellationToken) => ChangeAsync(id, who, "cancel", async (context, rollout) =>
    {
        Require(rollout, "be called off", RolloutState.WaitingForApproval, RolloutState.Ready, RolloutState.Running, RolloutState.Paused);
        Set(rollout, RolloutState.Canceled, $"called off by {who}");
        await context.SaveChangesAsync(cancellationToken);
        foreach (var waiting in await context.Members.Where(row => row.RolloutId == id && row.State == MemberState.Waiting).GroupBy(row => row.GroupNumber).Select(group => new { Number = group.Key, Count = group.Count() }).ToListAsync(cancellationToken))
            await context.Groups.Where(row => row.RolloutId == id && row.Number == waiting.Number).ExecuteUpdateAsync(set => set.SetProperty(row => row.Canceled, row => row.Canceled + waiting.Count), cancellationToken);
        await context.Members.Where(row => row.RolloutId == id && row.State == MemberState.Waiting).ExecuteUpdateAsync(set => set.SetProperty(row => row.State, MemberState.Canceled).SetProperty(row => row.Reason, rollout.Reason), cancellationToken);
        await new ActionJournal(context, time.GetUtcNow()).CancelAllAsync(context.Actions.Where(row => row.RolloutId == id), rollout.Reason!, cancellationToken);
    }, cancellationToken);

    /// <summary>Gives the release once more to every device on which it failed.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public Task RetryAsync(long id, string who, CancellationToken cancellationToken) => ChangeAsync(id, who, "retry", async (context, rollout) =>
    {
        Require(rollout, "be tried again", RolloutState.Running, RolloutState.Paused, RolloutState.Finished);
        var failed = await context.Members.Where(row => row.RolloutId == id && row.State == MemberState.Failed).OrderBy(row => row.DeviceId).ToListAsync(cancellationToken);
        if (failed.Count == 0) throw new UserError($"No device of {rollout.Name} has failed.");
        var journal = new ActionJournal(context, time.GetUtcNow());
        foreach (var member in failed)
        {
            var device = await context.Devices.SingleAsync(row => row.Id == member.DeviceId, cancellationToken);
            if (device.State == DeviceState.Decommissioned) continue;
            var action = await journal.GiveAsync(device, rollout.ReleaseId, AssignmentTerms.Of(rollout, member.GroupNumber), cancellationToken);
            (member.State, member.ActionId, member.Attempts) = (MemberState.Running, action.Id, member.Attempts + 1);
            await context.SaveChangesAsync(cancellationToken);
            await context.Groups.Where(row => row.RolloutId == id && row.Number == member.GroupNumber).ExecuteUpdateAsync(set => set.SetProperty(row => row.Failed, row => row.Failed - 1).SetProperty(row => row.Running, row => row.Running + 1).SetProperty(row => row.ForgivenFailures, 0), cancellationToken);
        }
        if (rollout.State == RolloutState.Finished) Set(rollout, RolloutState.Running, $"tried again by {who}");
    }, cancellationToken);

    private Task ChangeAsync(long id, string who, string what, Func<FleetContext, Rollout, Task> change, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        // Only one change of a rollout at a time, whichever server makes it.
        var found = await context.Rollouts.Where(row => row.Id == id).ExecuteUpdateAsync(set => set.SetProperty(row => row.ChangedAt, time.GetUtcNow()), cancellationToken);
        if (found == 0) throw new MissingException($"rollout {id}");
        var rollout = await context.Rollouts.SingleAsync(row => row.Id == id, cancellationToken);
        await change(context, rollout);
        Note(context, rollout, who, what, rollout.Reason);
    }, cancellationToken);

    private void Note(FleetContext context, Rollout rollout, string who, string what, string? detail) =>
        context.Note(time.GetUtcNow(), who, $"rollout.{what}", rollout.ToString(), detail);

    private static void Set(Rollout rollout, RolloutState state, string reason) => (rollout.State, rollout.Reason) = (state, reason);

    private static void Require(Rollout rollout, string what, params RolloutState[] states)
    {
        if (!states.Contains(rollout.State)) throw new UserError($"Rollout {rollout.Name} cannot {what}: it is {rollout.State}{(rollout.Reason is null ? "" : $" ({rollout.Reason})")}.");
    }

    private static string Place(long rollout, string controllerId) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{rollout}/{controllerId}"))));

    private static async Task AddMembersAsync(FleetContext context, long rolloutId, IReadOnlyList<long> order, IReadOnlyList<int> sizes, CancellationToken cancellationToken)
    {
        var groups = sizes.SelectMany((size, index) => Enumerable.Repeat(index + 1, size));
        foreach (var rows in order.Zip(groups).Chunk(RowsPerStatement))
        {
            // Numbers of our own, so nothing in the statement is anybody's text.
            var text = new StringBuilder("INSERT INTO \"Members\" (\"RolloutId\", \"DeviceId\", \"GroupNumber\", \"State\", \"Attempts\") VALUES ");
            text.AppendJoin(", ", rows.Select(row => string.Create(CultureInfo.InvariantCulture, $"({rolloutId}, {row.First}, {row.Second}, {(int)MemberState.Waiting}, 0)")));
            await context.Database.ExecuteSqlRawAsync(text.ToString(), cancellationToken);
        }
    }
}
