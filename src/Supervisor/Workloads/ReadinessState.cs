namespace Appliance.Supervisor.Workloads;

/// <summary>How far an object of a release is.</summary>
internal enum ReadinessState
{
    /// <summary>As its manifest asks for.</summary>
    Ready,

    /// <summary>On its way.</summary>
    InProgress,

    /// <summary>It will not become ready by itself.</summary>
    Failed,
}
