namespace Appliance.UpdateServer.Fleet;

/// <summary>A device of a rollout.</summary>
internal sealed class RolloutMember
{
    /// <summary>The rollout.</summary>
    public long RolloutId { get; set; }

    /// <summary>The device.</summary>
    public long DeviceId { get; set; }

    /// <summary>Number of its group.</summary>
    public int GroupNumber { get; set; }

    /// <summary>How far it is.</summary>
    public MemberState State { get; set; }

    /// <summary>How often it was given the release.</summary>
    public int Attempts { get; set; }

    /// <summary>Its last action.</summary>
    public long? ActionId { get; set; }

    /// <summary>Why it is in its state, in words.</summary>
    public string? Reason { get; set; }
}
