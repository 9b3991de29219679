namespace Appliance.Supervisor.Health;

/// <summary>A check as it stood before an update.</summary>
internal sealed record BaselineCheck
{
    /// <summary>What it looked at; under the same name another kind is another check.</summary>
    public required string Kind { get; init; }

    /// <summary>What its attempts added up to.</summary>
    public required ProbeOutcome Outcome { get; init; }

    /// <summary>Its result in words.</summary>
    public required string Message { get; init; }

    /// <summary>What exactly failed.</summary>
    public IReadOnlyList<string> Failing { get; init; } = [];

    /// <summary>What exactly worked, where things may also rest.</summary>
    public IReadOnlyList<string> Working { get; init; } = [];

    /// <summary>What was still starting.</summary>
    public IReadOnlyList<string> Unfinished { get; init; } = [];
}
