namespace Appliance.Supervisor.Workloads;

/// <summary>How an application of a release ended.</summary>
/// <param name="At">When.</param>
/// <param name="Outcome"><c>applied</c>, <c>reverted</c>, or <c>failed</c> for a release that was only applied again.</param>
/// <param name="Version">The release.</param>
/// <param name="From">The one it was to replace, or null.</param>
/// <param name="Detail">Why, in a sentence; empty where there is nothing to say.</param>
internal sealed record ReleaseEvent(DateTimeOffset At, string Outcome, string Version, string? From, string Detail);
