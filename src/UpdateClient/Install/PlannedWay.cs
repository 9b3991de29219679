namespace Appliance.UpdateClient.Install;

/// <summary>A way to get a payload as a plan lists it.</summary>
public sealed class PlannedWay
{
    /// <summary>Name of the way by a patch from the running version.</summary>
    public const string Patch = "patch";

    /// <summary>Name of the way by chunks that are not on the device yet.</summary>
    public const string Chunks = "chunks";

    /// <summary>Name of the way that fetches the whole payload.</summary>
    public const string Full = "full";

    internal PlannedWay(string name, IPayloadWay way) => (Name, Way, DownloadBytes) = (name, way, way is LateChunkWay ? null : way.DownloadBytes);

    /// <summary><see cref="Patch"/>, <see cref="Chunks"/> or <see cref="Full"/>.</summary>
    public string Name { get; }

    /// <summary>Bytes it downloads; null when that is found out only if it comes to this way.</summary>
    public long? DownloadBytes { get; }

    internal IPayloadWay Way { get; }
}
