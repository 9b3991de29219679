namespace Appliance.Supervisor.Workloads;

/// <summary>A release that is being applied, kept or given up.</summary>
internal sealed record ReleaseTrial
{
    /// <summary>Its version.</summary>
    public required string Version { get; init; }

    /// <summary>How far it is.</summary>
    public required TrialPhase Phase { get; init; }

    /// <summary>The version it replaces, or null.</summary>
    public string? From { get; init; }

    /// <summary>How often it was begun; power cuts begin it again.</summary>
    public int Attempts { get; init; } = 1;

    /// <summary>Why the release before is left, where somebody goes back from it.</summary>
    public string? Left { get; init; }

    /// <summary>Why it is given up.</summary>
    public string? Reason { get; init; }
}
