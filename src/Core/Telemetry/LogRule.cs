namespace Appliance.Core.Telemetry;

/// <summary>Which lines of the journal are forwarded.</summary>
public sealed record LogRule
{
    /// <summary>The unit whose lines fall under it, or null for every line.</summary>
    public string? Unit { get; set; }

    /// <summary>The least important that is forwarded: 0 (emergency) to 7 (debug), syslog(3).</summary>
    public int Priority { get; set; } = 5;

    /// <summary>How many of these lines are forwarded, in percent, 1 to 100.</summary>
    public int Share { get; set; } = 100;
}
