namespace Appliance.Supervisor.Health;

/// <summary>The verdict on the machine.</summary>
internal enum HealthState
{
    /// <summary>Not all gating checks have passed yet, and there is time left.</summary>
    Starting,

    /// <summary>Every gating check passes.</summary>
    Healthy,

    /// <summary>A gating check fails after the machine was healthy, or the time for the verdict is over.</summary>
    Unhealthy,
}
