namespace Appliance.Core.Health;

/// <summary>What the health gate of a boot waits for.</summary>
public sealed record HealthSettings
{
    /// <summary>Time after the supervisor's start within which every gating check must have passed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long every gating check must have passed without a break before the verdict is healthy.</summary>
    public TimeSpan Stabilisation { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The declared checks; the built-in ones always run beside them.</summary>
    public IReadOnlyList<HealthCheck> Checks { get; init; } = [];
}
