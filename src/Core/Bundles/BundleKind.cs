using System.Text.Json.Serialization;

namespace Appliance.Core.Bundles;

/// <summary>What a bundle brings to a device.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BundleKind>))]
public enum BundleKind
{
    /// <summary>An operating system for a slot.</summary>
    Image,

    /// <summary>A workload release for the workload engine; the operating system stays as it is.</summary>
    Workload,
}
