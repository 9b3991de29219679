namespace Appliance.UpdateClient;

/// <summary>A range of a file: its first byte and its length, both in bytes.</summary>
public readonly record struct ByteRange(long Offset, int Length);
