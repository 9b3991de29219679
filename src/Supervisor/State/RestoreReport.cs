namespace Appliance.Supervisor.State;

/// <summary>What a restore did, for those who wonder where something went.</summary>
internal sealed record RestoreReport
{
    /// <summary>When it began.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The version whose changes were discarded.</summary>
    public required string From { get; init; }

    /// <summary>The version whose state was put back.</summary>
    public required string To { get; init; }

    /// <summary>When the state that was put back had been kept aside.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>The paths that were put back.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>Bytes of the files that were replaced.</summary>
    public required long BytesDiscarded { get; init; }

    /// <summary>When the youngest of them had been written, or null when there was none.</summary>
    public DateTimeOffset? NewestDiscarded { get; init; }
}
