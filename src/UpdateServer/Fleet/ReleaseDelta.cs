namespace Appliance.UpdateServer.Fleet;

/// <summary>How much a device fetches for a release, coming from an earlier version by patches.</summary>
internal sealed class ReleaseDelta
{
    /// <summary>The release.</summary>
    public long ReleaseId { get; set; }

    /// <summary>The version that the device comes from.</summary>
    public required string FromVersion { get; set; }

    /// <summary>Size of all patches, in bytes.</summary>
    public long Size { get; set; }
}
