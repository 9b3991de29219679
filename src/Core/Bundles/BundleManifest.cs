namespace Appliance.Core.Bundles;

/// <summary>The first member of a bundle: what it is and how every byte of it is verified.</summary>
public sealed record BundleManifest
{
    /// <summary>The format this program writes and reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Format version; a reader refuses newer ones.</summary>
    public required int Format { get; init; }

    /// <summary>What the bundle is.</summary>
    public required BundleHeader Header { get; init; }

    /// <summary>The payloads in the order of the archive.</summary>
    public required IReadOnlyList<BundlePayload> Payloads { get; init; }
}
