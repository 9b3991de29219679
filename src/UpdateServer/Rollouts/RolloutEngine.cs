using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;
using Serilog;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>
/// Moves rollouts on: judges the groups that have started, then starts the next one, pauses, or ends. Every server does that; each
/// step is one transaction that only one of them gets through.
/// </summary>
internal sealed class RolloutEngine(FleetDatabase database, TimeProvider time) : RepeatedWork(Pause, time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Looks at every rollout once.</summary>
    public async Task StepAsync(CancellationToken cancellationToken)
    {
        List<long> running;
        await using (var context = database.Open()) running = await context.Rollouts.Where(row => row.State == RolloutState.Running).Select(row => row.Id).ToListAsync(cancellationToken);
        foreach (var id in running) await StepAsync(id, cancellationToken);
    }

    /// <inheritdoc/>
    protected override Task WorkAsync(CancellationToken cancellationToken) => StepAsync(cancellationToken);

    /// <inheritdoc/>
    protected override void NoteFailure(Exception failure) => Log.Error("Rollouts could not be looked at: {Reason}", failure.Message);

    private async Task StepAsync(long id, CancellationToken cancellationToken)
    {
        Rollout rollout;
        await using (var context = database.Open()) rollout = await context.Rollouts.AsNoTracking().Include(row => row.Groups.OrderBy(group => group.Number)).SingleAsync(row => row.Id == id, cancellationToken);
        var verdict = RolloutVerdict.Of(rollout);
        if (verdict.State == RolloutState.Running && !verdict.StartsNext) return;
        var done = await database.WriteAsync(async context =>
        {
            var next = rollout.StartedGroups + 1;
            var moved = verdict.State == RolloutState.Running ? await new GroupStart(context, Time.GetUtcNow()).TryAsync(rollout, next, cancellationToken)
                : await context.Rollouts.Where(row => row.Id == id && row.State == RolloutState.Running && row.StartedGroups == rollout.StartedGroups)
                    .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, verdict.State).SetProperty(row => row.Reason, verdict.Reason).SetProperty(row => row.ChangedAt, Time.GetUtcNow()), cancellationToken) > 0;
            if (moved) context.Note(Time.GetUtcNow(), "server", $"rollout.{verdict.State switch { RolloutState.Running => "group", RolloutState.Paused => "pause", _ => "finish" }}", rollout.ToString(), verdict.Reason ?? $"group {next} of {rollout.Groups.Count} started");
            return moved;
        }, cancellationToken);
        if (!done) return; // another server was first
        if (verdict.State == RolloutState.Paused) Log.Warning("Rollout {Rollout} is paused: {Reason}", rollout.Name, verdict.Reason);
        else Log.Information("Rollout {Rollout}: {Reason}", rollout.Name, verdict.Reason ?? $"group {rollout.StartedGroups + 1} starts");
    }
}
