using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Workloads;

/// <summary>What somebody, or the schedule, asked for a workload.</summary>
internal sealed record WorkloadRequest
{
    /// <summary>The workload; null for the one that a bundle brings.</summary>
    public string? Id { get; init; }

    /// <summary>Repository or bundle; null for the device's own repository.</summary>
    public string? Source { get; init; }

    /// <summary>Channel; null for the device's own.</summary>
    public string? Channel { get; init; }

    /// <summary>A version instead of the newest.</summary>
    public string? Version { get; init; }

    /// <summary>Takes a version that failed before, an older one, or the same again.</summary>
    public bool Force { get; init; }

    /// <summary>Who asked, in words.</summary>
    public string By { get; init; } = UpdateJob.OfTheDevice;
}
