namespace Appliance.ImageBuilder.Workloads;

/// <summary>How a workload's release is made.</summary>
internal sealed record WorkloadBuildOptions
{
    /// <summary>The workload's folder.</summary>
    public required string Folder { get; init; }

    /// <summary>Fetched images are kept here.</summary>
    public required string CacheFolder { get; init; }

    /// <summary>True refuses any image that differs from <c>workload.lock.yaml</c>.</summary>
    public bool Locked { get; init; }

    /// <summary>True asks the registries again instead of taking the locked images.</summary>
    public bool Refresh { get; init; }
}
