namespace Appliance.Core.Health;

/// <summary>What the health gate of a boot waits for. Read on the device from <c>/usr/lib/appliance/health.json</c>.</summary>
public sealed record HealthSettings
{
    /// <summary>Time after the supervisor's start within which every gating check must have passed once.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The declared checks; the built-in ones (failed units, writable data partition) always run beside them.</summary>
    public IReadOnlyList<HealthCheck> Checks { get; init; } = [];
}
