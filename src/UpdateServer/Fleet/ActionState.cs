namespace Appliance.UpdateServer.Fleet;

/// <summary>How far a device is with an assignment. From <see cref="Finished"/> on it is over.</summary>
internal enum ActionState
{
    /// <summary>Somebody at the device must agree first.</summary>
    WaitingForConfirmation,

    /// <summary>The device has not fetched it yet.</summary>
    Pending,

    /// <summary>The device knows what to do.</summary>
    Retrieved,

    /// <summary>The device is at it.</summary>
    Running,

    /// <summary>The device has it, and installs it when it may.</summary>
    Downloaded,

    /// <summary>The device was asked to stop.</summary>
    Canceling,

    /// <summary>The device runs it.</summary>
    Finished,

    /// <summary>It did not come about.</summary>
    Failed,

    /// <summary>It was called off.</summary>
    Canceled,
}
