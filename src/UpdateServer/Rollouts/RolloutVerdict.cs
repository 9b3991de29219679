using System.Globalization;
using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>What the groups of a running rollout say.</summary>
/// <param name="State">The state it should be in.</param>
/// <param name="StartsNext">Whether the next group is to start.</param>
/// <param name="Reason">Why it pauses or ends, in words.</param>
internal sealed record RolloutVerdict(RolloutState State, bool StartsNext, string? Reason)
{
    private const int Whole = 100;

    /// <summary>Judges. Failures weigh first: a group that has enough of both pauses.</summary>
    public static RolloutVerdict Of(Rollout rollout)
    {
        var started = rollout.Groups.Where(group => group.Number <= rollout.StartedGroups).ToList();
        foreach (var group in started)
        {
            var failed = group.Failed - group.ForgivenFailures;
            if (failed > 0 && failed * Whole >= rollout.ErrorPercent * group.Total)
                return new RolloutVerdict(RolloutState.Paused, false, string.Create(CultureInfo.InvariantCulture, $"{group.Failed} of the {group.Total} devices of group {group.Number} failed, and {rollout.ErrorPercent} % pause it"));
        }
        if (started.Count == rollout.Groups.Count)
            return started.TrueForAll(group => group.Running == 0) ? new RolloutVerdict(RolloutState.Finished, false, Summary(rollout)) : new RolloutVerdict(RolloutState.Running, false, null);
        // Whom it does not reach any more keeps nobody waiting.
        var last = started[^1];
        var reachable = last.Total - last.Canceled;
        return new RolloutVerdict(RolloutState.Running, last.Finished * Whole >= rollout.SuccessPercent * reachable, null);
    }

    private static string Summary(Rollout rollout) =>
        string.Create(CultureInfo.InvariantCulture, $"{rollout.Groups.Sum(group => group.Finished)} of {rollout.Groups.Sum(group => group.Total)} devices run it, {rollout.Groups.Sum(group => group.Failed)} failed, {rollout.Groups.Sum(group => group.Canceled)} were passed over");
}
