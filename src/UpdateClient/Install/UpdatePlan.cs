using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Install;

/// <summary>What an update will do.</summary>
public sealed record UpdatePlan
{
    /// <summary>The release, as it was signed.</summary>
    public required Release Release { get; init; }

    /// <summary>The manifest of its bundle.</summary>
    public required BundleManifest Manifest { get; init; }

    /// <summary>The payloads in order.</summary>
    public required IReadOnlyList<PayloadPlan> Payloads { get; init; }

    /// <summary>Bytes that the cheapest ways download together.</summary>
    public long DownloadBytes => Payloads.Sum(payload => payload.Ways[0].DownloadBytes);
}
