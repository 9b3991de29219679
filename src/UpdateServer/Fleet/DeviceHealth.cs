namespace Appliance.UpdateServer.Fleet;

/// <summary>How a device says that it is.</summary>
internal enum DeviceHealth
{
    /// <summary>It has not said.</summary>
    Unknown,

    /// <summary>Its checks pass.</summary>
    Healthy,

    /// <summary>It has started, or tries a version, and its checks have not passed for long enough.</summary>
    Starting,

    /// <summary>A check that counts fails.</summary>
    Unhealthy,
}
