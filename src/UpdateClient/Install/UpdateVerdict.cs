namespace Appliance.UpdateClient.Install;

/// <summary>What a check found.</summary>
public enum UpdateVerdict
{
    /// <summary>The channel has nothing newer.</summary>
    UpToDate,

    /// <summary>There is something to install.</summary>
    Available,

    /// <summary>There is something newer, but its rollout has not reached this device.</summary>
    Waiting,
}
