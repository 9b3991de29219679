namespace Appliance.UpdateServer.Fleet;

/// <summary>Devices of a rollout that start together. The counts change in the same transaction as the devices' states.</summary>
internal sealed class RolloutGroup
{
    /// <summary>The rollout.</summary>
    public long RolloutId { get; set; }

    /// <summary>Number, from 1.</summary>
    public int Number { get; set; }

    /// <summary>Devices in it.</summary>
    public int Total { get; set; }

    /// <summary>Devices that have the release to do.</summary>
    public int Running { get; set; }

    /// <summary>Devices that run it.</summary>
    public int Finished { get; set; }

    /// <summary>Devices on which it failed, and that are not tried again.</summary>
    public int Failed { get; set; }

    /// <summary>Failures that somebody knew of when the rollout was resumed; they do not pause it again.</summary>
    public int ForgivenFailures { get; set; }

    /// <summary>Devices that were passed over, or for which it was called off.</summary>
    public int Canceled { get; set; }

    /// <summary>When it was started.</summary>
    public DateTimeOffset? StartedAt { get; set; }
}
