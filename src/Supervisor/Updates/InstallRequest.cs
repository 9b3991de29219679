namespace Appliance.Supervisor.Updates;

/// <summary>What somebody, or the schedule, asked to install.</summary>
internal sealed record InstallRequest
{
    /// <summary>Repository or bundle; null for the device's own repository, <c>-</c> for a bundle that is sent along.</summary>
    public string? Source { get; init; }

    /// <summary>Channel; null for the device's own.</summary>
    public string? Channel { get; init; }

    /// <summary>A version instead of the newest.</summary>
    public string? Version { get; init; }

    /// <summary>Takes a version that failed before, an older one, or the same again.</summary>
    public bool Force { get; init; }

    /// <summary>Restarts into it at once and not in the next window; null leaves that to the settings.</summary>
    public bool? Reboot { get; init; }

    /// <summary>Who asked, in words for the history.</summary>
    public string By { get; init; } = UpdateJob.OfTheDevice;
}
