namespace Appliance.Core.Bundles;

/// <summary>A payload that is compressed already: how the manifest lists it, and the file with its frames.</summary>
public sealed record PackedPayload(BundlePayload Payload, string Path);
