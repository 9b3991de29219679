namespace Appliance.Core.Bundles;

/// <summary>One independent zstd frame of a payload: its compressed size in bytes and the SHA-256 of its plain bytes.</summary>
public sealed record BundleFrame(int Size, string Sha256);
