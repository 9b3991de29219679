using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Install;

/// <summary>What an update will do. It keeps files of what is here open until it is disposed of.</summary>
public sealed class UpdatePlan : IDisposable
{
    private readonly IDisposable _open;

    internal UpdatePlan(IDisposable open) => _open = open;

    /// <summary>The release, as it was signed.</summary>
    public required Release Release { get; init; }

    /// <summary>The manifest of its bundle.</summary>
    public required BundleManifest Manifest { get; init; }

    /// <summary>The payloads in order.</summary>
    public required IReadOnlyList<PayloadPlan> Payloads { get; init; }

    /// <summary>Bytes that the cheapest ways download together.</summary>
    public long DownloadBytes => Payloads.Sum(payload => payload.Ways[0].DownloadBytes ?? 0);

    /// <summary>Closes the files.</summary>
    public void Dispose() => _open.Dispose();
}
