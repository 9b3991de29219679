namespace Appliance.UpdateClient.Install;

/// <summary>What an update is allowed to do.</summary>
public sealed record UpdateOptions
{
    /// <summary>Folder for the journal and for patches under way; made when it is not there.</summary>
    public required string StateFolder { get; init; }

    /// <summary>A version to install instead of the newest.</summary>
    public string? Version { get; init; }

    /// <summary>Installs an older version or the same one again, and does not wait for the rollout.</summary>
    public bool Force { get; init; }

    /// <summary>Clock for rates.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
