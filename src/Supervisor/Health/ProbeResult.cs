namespace Appliance.Supervisor.Health;

/// <summary>How one attempt of a check ended, in words for the page.</summary>
internal sealed record ProbeResult(ProbeOutcome Outcome, string Message)
{
    /// <summary>What exactly fails, e.g. the failed units, where a check looks at several things.</summary>
    public IReadOnlyList<string> Failing { get; init; } = [];

    /// <summary>What exactly works, where a check looks at several things that may also rest.</summary>
    public IReadOnlyList<string> Working { get; init; } = [];

    /// <summary>What is there and neither works nor fails.</summary>
    public IReadOnlyList<string> Resting { get; init; } = [];

    /// <summary>What is still starting, also while something else fails.</summary>
    public IReadOnlyList<string> Unfinished { get; init; } = [];

    /// <summary>True for a pass.</summary>
    public bool Passed => Outcome == ProbeOutcome.Passed;

    /// <summary>A pass.</summary>
    public static ProbeResult Pass(string message) => new(ProbeOutcome.Passed, message);

    /// <summary>A failure and its reason.</summary>
    public static ProbeResult Fail(string message) => new(ProbeOutcome.Failed, message);

    /// <summary>Not yet, and what is waited for.</summary>
    public static ProbeResult Wait(string message) => new(ProbeOutcome.Waiting, message);

    /// <summary>Something outside is down.</summary>
    public static ProbeResult Outage(string message) => new(ProbeOutcome.Outage, message);
}
