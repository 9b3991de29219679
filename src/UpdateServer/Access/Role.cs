namespace Appliance.UpdateServer.Access;

/// <summary>What somebody may do; each may do what the ones before may.</summary>
internal enum Role
{
    /// <summary>Look.</summary>
    Viewer,

    /// <summary>Give releases to devices, and start and stop rollouts.</summary>
    Operator,

    /// <summary>Everything: devices, tokens, keys.</summary>
    Admin,
}
