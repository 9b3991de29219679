namespace Appliance.Core.Tuf;

/// <summary>
/// How long metadata counts after it is signed. The timestamp's life bounds how long a device can be kept from noticing a
/// release; a job renews it (and the snapshot) well before. The others are signed by keys that people fetch from a safe.
/// </summary>
public sealed record TufLifetimes
{
    /// <summary>Root: a year.</summary>
    public TimeSpan Root { get; init; } = TimeSpan.FromDays(365);

    /// <summary>Top-level targets: a year.</summary>
    public TimeSpan Targets { get; init; } = TimeSpan.FromDays(365);

    /// <summary>A channel: a year.</summary>
    public TimeSpan Channel { get; init; } = TimeSpan.FromDays(365);

    /// <summary>Snapshot: 90 days; renewed together with the timestamp when less than half is left.</summary>
    public TimeSpan Snapshot { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Timestamp: 7 days.</summary>
    public TimeSpan Timestamp { get; init; } = TimeSpan.FromDays(7);

    /// <summary>The life of a role's metadata; any name that is not top-level is a channel's.</summary>
    public TimeSpan Of(string role) => role switch
    {
        TufRole.Root => Root,
        TufRole.Targets => Targets,
        TufRole.Snapshot => Snapshot,
        TufRole.Timestamp => Timestamp,
        _ => Channel,
    };
}
