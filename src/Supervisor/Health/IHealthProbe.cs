namespace Appliance.Supervisor.Health;

/// <summary>One health check that can be tried again and again.</summary>
internal interface IHealthProbe
{
    /// <summary>Unique name.</summary>
    string Name { get; }

    /// <summary>True when it must pass for the verdict "healthy".</summary>
    bool Gate { get; }

    /// <summary>Pause between two attempts.</summary>
    TimeSpan Interval { get; }

    /// <summary>Longest time of one attempt.</summary>
    TimeSpan Timeout { get; }

    /// <summary>Tries once. An exception counts as a failure with its message.</summary>
    Task<ProbeResult> TryAsync(CancellationToken cancellationToken);
}
