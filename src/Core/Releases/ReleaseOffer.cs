using System.Text.Json.Serialization;
using Appliance.Core.Bundles;

namespace Appliance.Core.Releases;

/// <summary>
/// What the channel's TUF metadata says of a release without fetching it (the target's <c>custom</c> member): for whom it is
/// and how far it is rolled out.
/// </summary>
public sealed record ReleaseOffer
{
    /// <summary>Id of the image or the workload.</summary>
    public required string Id { get; init; }

    /// <summary>Version.</summary>
    public required string Version { get; init; }

    /// <summary>Board.</summary>
    public required string Board { get; init; }

    /// <summary>Debian architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>Share of the devices that may take it, in percent, 0 to 100.</summary>
    public int Rollout { get; init; } = 100;

    /// <summary>Oldest version that can update to it, or null for any.</summary>
    public string? MinimumVersion { get; init; }

    /// <summary>What the release brings. Programs of before there were workloads do not know the member and pass the offer over.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public BundleKind Kind { get; init; }
}
