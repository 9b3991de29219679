namespace Appliance.UpdateServer.Fleet;

/// <summary>What the server thinks of a device.</summary>
internal enum DeviceState
{
    /// <summary>It belongs to the fleet.</summary>
    Registered,

    /// <summary>It was taken out; whoever calls itself so is refused.</summary>
    Decommissioned,
}
