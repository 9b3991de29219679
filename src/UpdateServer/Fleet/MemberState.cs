namespace Appliance.UpdateServer.Fleet;

/// <summary>How far a device of a rollout is.</summary>
internal enum MemberState
{
    /// <summary>Its group has not started.</summary>
    Waiting,

    /// <summary>It was given the release.</summary>
    Running,

    /// <summary>It runs the release.</summary>
    Finished,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>It was passed over, or it was called off.</summary>
    Canceled,
}
