using Appliance.Core.Bundles;

namespace Appliance.UpdateClient.Install;

/// <summary>What the device is, which decides what it may install.</summary>
public sealed record DeviceFacts
{
    /// <summary>Identity of this device; decides when a staged rollout reaches it.</summary>
    public required string DeviceId { get; init; }

    /// <summary>What is looked for: an operating system, or a workload.</summary>
    public BundleKind Kind { get; init; }

    /// <summary>Id of the image or of the workload.</summary>
    public required string Id { get; init; }

    /// <summary>Board; <see cref="BundleHeader.AnyBoard"/> for workloads.</summary>
    public required string Board { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>Version that is running; null for a workload that is not here yet.</summary>
    public required string? Version { get; init; }
}
