namespace Appliance.Core.Bundles;

/// <summary>A file to be packed: its name in the bundle, its kind, and where it is.</summary>
public sealed record BundlePayloadFile(string Name, BundlePayloadKind Kind, string Path);
