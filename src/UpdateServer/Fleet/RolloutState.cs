namespace Appliance.UpdateServer.Fleet;

/// <summary>How far a rollout is.</summary>
internal enum RolloutState
{
    /// <summary>Somebody else must agree first.</summary>
    WaitingForApproval,

    /// <summary>It can be started.</summary>
    Ready,

    /// <summary>Groups are under way.</summary>
    Running,

    /// <summary>No further group starts, and nobody else is given the release, until somebody resumes it.</summary>
    Paused,

    /// <summary>Every group is over.</summary>
    Finished,

    /// <summary>It was called off.</summary>
    Canceled,
}
