namespace Appliance.Supervisor.Workloads;

/// <summary>How far an object of a release is from what its manifest asks for.</summary>
/// <param name="State">Ready, on its way, or not to become ready by itself.</param>
/// <param name="Message">Why, in words; for a ready object what it has.</param>
internal sealed record Readiness(ReadinessState State, string Message)
{
    /// <summary>It is as its manifest asks for.</summary>
    public static Readiness Ready(string message) => new(ReadinessState.Ready, message);

    /// <summary>It is on its way.</summary>
    public static Readiness Waiting(string message) => new(ReadinessState.InProgress, message);

    /// <summary>It will not become ready by itself.</summary>
    public static Readiness Failed(string message) => new(ReadinessState.Failed, message);
}
