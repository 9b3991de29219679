namespace Appliance.UpdateServer.Fleet;

/// <summary>A release that a device was given: an action in DDI's words.</summary>
internal sealed class UpdateAction
{
    /// <summary>Number of the row, which is the action's id.</summary>
    public long Id { get; set; }

    /// <summary>The device.</summary>
    public long DeviceId { get; set; }

    /// <summary>The release.</summary>
    public long ReleaseId { get; set; }

    /// <summary>The rollout that gave it; null for an assignment by hand.</summary>
    public long? RolloutId { get; set; }

    /// <summary>Number of the rollout's group.</summary>
    public int GroupNumber { get; set; }

    /// <summary>How far it is.</summary>
    public ActionState State { get; set; }

    /// <summary>Whether it is not over.</summary>
    public bool IsActive { get; set; } = true;

    /// <summary>Whether the device is to do it at once, and not when it sees fit.</summary>
    public bool IsForced { get; set; }

    /// <summary>When the device may install it (<see cref="Core.Updates.MaintenanceWindow"/>, UTC); null for any time.</summary>
    public string? Window { get; set; }

    /// <summary>When it was given.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>When its state last changed.</summary>
    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>What was last said about it.</summary>
    public string? Detail { get; set; }

    /// <summary>Whether it is over in a state.</summary>
    public static bool IsOver(ActionState state) => state >= ActionState.Finished;
}
