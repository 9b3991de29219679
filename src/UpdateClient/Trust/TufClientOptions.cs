using Appliance.Core.Tuf;

namespace Appliance.UpdateClient.Trust;

/// <summary>What a <see cref="TufClient"/> is told about its device.</summary>
public sealed record TufClientOptions
{
    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>A moment that has certainly passed, e.g. the build of the running image: a clock that says less is not believed.</summary>
    public DateTimeOffset MinimumTime { get; init; } = DateTimeOffset.MinValue;

    /// <summary>False while the clock is not known to be right (not set by NTP yet); see <see cref="UpdateTime"/> for what that changes.</summary>
    public bool ClockSynchronised { get; init; } = true;

    /// <summary>Most new root versions followed in one update.</summary>
    public int RootRotations { get; init; } = TufLimits.RootRotations;

    /// <summary>Most roles visited in the search for one target.</summary>
    public int VisitedRoles { get; init; } = TufLimits.VisitedRoles;
}
