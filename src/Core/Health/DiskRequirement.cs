namespace Appliance.Core.Health;

/// <summary>Room that a file system must have. Exactly one of the two amounts is set.</summary>
/// <param name="Path">A path on the file system.</param>
/// <param name="FreeBytes">Least free bytes.</param>
/// <param name="FreePercent">Least free part in percent, 1 to 99.</param>
public sealed record DiskRequirement(string Path, long? FreeBytes, int? FreePercent);
