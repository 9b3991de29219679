namespace Appliance.Supervisor.Updates;

/// <summary>A version between its installation and the verdict on it.</summary>
internal sealed record PendingUpdate
{
    /// <summary>The version.</summary>
    public required string Version { get; init; }

    /// <summary>The version that installed it.</summary>
    public required string From { get; init; }

    /// <summary>The slot it is in.</summary>
    public required string Slot { get; init; }

    /// <summary>The boot that installed it.</summary>
    public required string InstalledBy { get; init; }

    /// <summary>When it was installed.</summary>
    public DateTimeOffset InstalledAt { get; init; }

    /// <summary>Restart at once (true), in a window (null: as the settings say), or only when told (false).</summary>
    public bool? Reboot { get; init; }

    /// <summary>Boots of it so far.</summary>
    public IReadOnlyList<TrialBoot> Boots { get; init; } = [];

    /// <summary>Why somebody gave it up before there was a verdict, or null.</summary>
    public string? GivenUp { get; init; }

    /// <summary>True when it is left as soon as nothing holds the restart up, and not with whichever restart comes.</summary>
    public bool Leave { get; init; }

    /// <summary>Boots of the old version since then in which the new one was not even tried.</summary>
    public int NotTried { get; init; }

    /// <summary>The same as the worker's record has it.</summary>
    public static PendingUpdate Of(TrialRecord trial) => new() { Version = trial.Version, From = trial.From, Slot = trial.Slot, InstalledBy = trial.InstalledBy };
}
