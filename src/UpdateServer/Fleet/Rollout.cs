namespace Appliance.UpdateServer.Fleet;

/// <summary>A release for many devices, in groups that start one after the other.</summary>
internal sealed class Rollout
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>Name.</summary>
    public required string Name { get; set; }

    /// <summary>The release.</summary>
    public long ReleaseId { get; set; }

    /// <summary>Which devices it was for, as it was written.</summary>
    public required string Filter { get; set; }

    /// <summary>How far it is.</summary>
    public RolloutState State { get; set; }

    /// <summary>Number of groups that were started.</summary>
    public int StartedGroups { get; set; }

    /// <summary>Share of a group that must have succeeded before the next one starts, in percent.</summary>
    public int SuccessPercent { get; set; }

    /// <summary>Share of a group whose failure pauses the rollout, in percent.</summary>
    public int ErrorPercent { get; set; }

    /// <summary>How often a device that failed is given the release again by itself.</summary>
    public int Retries { get; set; }

    /// <summary>Whether the devices do it at once.</summary>
    public bool IsForced { get; set; }

    /// <summary>Whether somebody at each device must agree.</summary>
    public bool NeedsConfirmation { get; set; }

    /// <summary>When devices may install it; see <see cref="UpdateAction.Window"/>.</summary>
    public string? Window { get; set; }

    /// <summary>Why it is in its state, in words.</summary>
    public string? Reason { get; set; }

    /// <summary>Who made it.</summary>
    public required string CreatedBy { get; set; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>When its state last changed.</summary>
    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>Its groups, in their order.</summary>
    public List<RolloutGroup> Groups { get; } = [];

    /// <summary>As the audit log names it.</summary>
    public override string ToString() => FormattableString.Invariant($"rollout {Id} {Name}");
}
