namespace Appliance.UpdateClient.Install;

/// <summary>Where a part of a slot lies: a partition's device, a plain file, or a piece of a disk image.</summary>
/// <param name="Path">The device or file.</param>
/// <param name="Offset">First byte in it.</param>
/// <param name="Size">Bytes that may be used; null for all that a device has, and without bound for a plain file.</param>
public sealed record SlotRegion(string Path, long Offset = 0, long? Size = null);
