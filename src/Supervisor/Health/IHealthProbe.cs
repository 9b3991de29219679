namespace Appliance.Supervisor.Health;

/// <summary>One health check that can be tried again and again.</summary>
internal interface IHealthProbe
{
    /// <summary>Unique name.</summary>
    string Name { get; }

    /// <summary>What it looks at, as declarations write it (<c>unit</c>, <c>timeSync</c>, …), or its own name for a built-in one.</summary>
    string Kind => Name;

    /// <summary>True when it must pass for the verdict "healthy".</summary>
    bool Gate { get; }

    /// <summary>Pause between two attempts.</summary>
    TimeSpan Interval { get; }

    /// <summary>Longest time of one attempt.</summary>
    TimeSpan Timeout { get; }

    /// <summary>Attempts in a row that must succeed before a check that does not pass does.</summary>
    int Successes => 1;

    /// <summary>Attempts in a row that must fail before a check that passed does not.</summary>
    int Failures => 1;

    /// <summary>False when a failure says nothing about the version that runs, because it hangs on others' machines.</summary>
    bool IsAboutThisMachine => true;

    /// <summary>True when no answer in time means that something outside is down, not that this machine fails.</summary>
    bool SilenceIsOutage => false;

    /// <summary>True when the check should be tried again as soon as a systemd unit changes.</summary>
    bool Follows(string unit) => false;

    /// <summary>Tries once. An exception counts as a failure with its message.</summary>
    Task<ProbeResult> TryAsync(CancellationToken cancellationToken);
}
