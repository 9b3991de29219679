namespace Appliance.Supervisor.Health;

/// <summary>A check with its latest result and what came before.</summary>
internal sealed record CheckStatus
{
    /// <summary>Unique name.</summary>
    public required string Name { get; init; }

    /// <summary>What it looks at.</summary>
    public required string Kind { get; init; }

    /// <summary>True when it is declared as a gate.</summary>
    public required bool Gate { get; init; }

    /// <summary>True when the verdict depends on it now; during a trial that also goes for what passed before the update.</summary>
    public required bool Gates { get; init; }

    /// <summary>Where it stands.</summary>
    public required CheckState State { get; init; }

    /// <summary>The latest result in words.</summary>
    public required string Message { get; init; }

    /// <summary>When it came into its state.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>When it was last tried, or null.</summary>
    public DateTimeOffset? Tried { get; init; }

    /// <summary>The latest changes of its state, oldest first.</summary>
    public required IReadOnlyList<CheckChange> History { get; init; }

    /// <summary>Whether it passes; null before the first try.</summary>
    public bool? Passed => Tried is null ? null : State == CheckState.Passes;

    /// <summary>True when a reader learns nothing from the other that this does not say, but for when it was tried.</summary>
    public bool SaysTheSame(CheckStatus other) => this == other with { Tried = Tried };
}
