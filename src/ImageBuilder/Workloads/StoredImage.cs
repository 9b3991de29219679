namespace Appliance.ImageBuilder.Workloads;

/// <summary>An image in the store.</summary>
/// <param name="Name">What a person called it.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="Digest">Digest of its manifest as it is in its registry: <c>sha256:…</c>.</param>
internal sealed record StoredImage(string Name, string Folder, string Digest);
