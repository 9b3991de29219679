using System.Text.Json.Serialization;

namespace Appliance.Core.Bundles;

/// <summary>What a payload is for.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BundlePayloadKind>))]
public enum BundlePayloadKind
{
    /// <summary>The root file system, written to a slot's root partition.</summary>
    Root,

    /// <summary>The unified kernel image, placed on the ESP.</summary>
    Uki,

    /// <summary>A workload release: an OCI image layout with its Kubernetes objects in front.</summary>
    Workload,
}
