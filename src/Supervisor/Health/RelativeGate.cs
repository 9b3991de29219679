namespace Appliance.Supervisor.Health;

/// <summary>
/// Judges one result. Without a trial a check counts as it is declared. During one the machine is compared with itself before
/// the update: what failed before, too, is told and not blamed; what passed before and fails now is blamed, gate or not. What was
/// not known then (never tried, still starting, something outside down) counts as it is declared.
/// </summary>
internal static class RelativeGate
{
    /// <summary>Where a check stands, whether the verdict depends on it, and why.</summary>
    internal sealed record Judgement(CheckState State, bool Gates, string Message);

    /// <summary>Judges a check.</summary>
    /// <param name="probe">The check.</param>
    /// <param name="result">Its latest result, or null before the first.</param>
    /// <param name="baseline">The machine before the update that is on trial, or null.</param>
    public static Judgement Judge(IHealthProbe probe, ProbeResult? result, HealthBaseline? baseline)
    {
        var before = baseline?.Checks.GetValueOrDefault(probe.Name) is { } check && check.Kind == probe.Kind ? check : null;
        var gates = baseline is null ? probe.Gate : probe.IsAboutThisMachine && (probe.Gate || before?.Outcome == ProbeOutcome.Passed);
        return result switch
        {
            null => new Judgement(CheckState.Waiting, gates, "not tried yet"),
            { Outcome: ProbeOutcome.Outage } => new Judgement(CheckState.Excused, false, result.Message),
            { Outcome: ProbeOutcome.Passed } when before is not null && before.Working.Intersect(result.Resting).ToList() is { Count: > 0 } gone =>
                new Judgement(CheckState.Fails, gates, $"worked before the update and does not run now: {string.Join(", ", gone)}"),
            { Outcome: ProbeOutcome.Passed } => new Judgement(CheckState.Passes, gates, result.Message),
            _ when before is { Outcome: ProbeOutcome.Failed } => Compare(result, before, gates),
            // A job that was in the queue before the update and is again: daily work, or something that never gets ready.
            { Outcome: ProbeOutcome.Waiting, Unfinished.Count: > 0 } when before is { Outcome: ProbeOutcome.Waiting } && !result.Unfinished.Except(before.Unfinished).Any() =>
                new Judgement(CheckState.Excused, false, $"so it was before the update, too: {result.Message}"),
            { Outcome: ProbeOutcome.Waiting } => new Judgement(CheckState.Waiting, gates, result.Message),
            _ => new Judgement(CheckState.Fails, gates, result.Message),
        };
    }

    /// <summary>It does not pass and did not before: is there anything that fails now and did not then?</summary>
    private static Judgement Compare(ProbeResult result, BaselineCheck before, bool gates)
    {
        var failing = result.Failing.Except(before.Failing).ToList();
        if (failing.Count > 0)
        {
            var known = result.Failing.Intersect(before.Failing).ToList();
            return new Judgement(CheckState.Fails, gates, $"{result.Message}{(known.Count == 0 ? "" : $" ({string.Join(", ", known)} failed before the update, too)")}");
        }
        // It failed because of this or that, and now does not even say because of what.
        if (result is { Outcome: ProbeOutcome.Failed, Failing.Count: 0 } && before.Failing.Count > 0) return new Judgement(CheckState.Fails, gates, result.Message);
        var unfinished = result.Unfinished.Except(before.Unfinished).Except(before.Failing).Any();
        return unfinished
            ? new Judgement(CheckState.Waiting, gates, result.Message)
            : new Judgement(CheckState.Excused, false, $"failed before the update, too: {result.Message}");
    }
}
