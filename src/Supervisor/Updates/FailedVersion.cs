namespace Appliance.Supervisor.Updates;

/// <summary>A version that was tried and not kept. It is not tried again unless somebody insists or clears it.</summary>
internal sealed record FailedVersion
{
    /// <summary>The version.</summary>
    public required string Version { get; init; }

    /// <summary>Why, in a sentence.</summary>
    public required string Reason { get; init; }

    /// <summary>When that was noticed.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>The checks that failed.</summary>
    public IReadOnlyList<string> Failures { get; init; } = [];

    /// <summary>The end of the journal of its last boot.</summary>
    public IReadOnlyList<string> Journal { get; init; } = [];
}
