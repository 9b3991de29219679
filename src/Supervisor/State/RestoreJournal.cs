namespace Appliance.Supervisor.State;

/// <summary>A restore that has begun and must be finished, whatever version boots next.</summary>
internal sealed record RestoreJournal
{
    /// <summary>The snapshot that is put back.</summary>
    public required StateSnapshot Snapshot { get; init; }

    /// <summary>What will be told of it.</summary>
    public required RestoreReport Report { get; init; }
}
