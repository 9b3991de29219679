namespace Appliance.Supervisor.Workloads;

/// <summary>How long a release may take to prove itself.</summary>
internal sealed record ReleaseTiming
{
    /// <summary>Within this time all its objects must be ready.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>And stay so for this long.</summary>
    public TimeSpan Dwell { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What has failed must go on failing for this long: states flicker while the old gives way to the new.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Time between two looks.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);
}
