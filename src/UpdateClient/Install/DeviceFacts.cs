namespace Appliance.UpdateClient.Install;

/// <summary>What the device is, which decides what it may install.</summary>
public sealed record DeviceFacts
{
    /// <summary>Identity of this device; decides when a staged rollout reaches it.</summary>
    public required string DeviceId { get; init; }

    /// <summary>Image id.</summary>
    public required string ImageId { get; init; }

    /// <summary>Board.</summary>
    public required string Board { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>Version that is running.</summary>
    public required string Version { get; init; }
}
