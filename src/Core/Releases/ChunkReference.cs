namespace Appliance.Core.Releases;

/// <summary>A payload cut into chunks, for devices of any earlier version.</summary>
/// <param name="Index">The chunks' hashes and places.</param>
/// <param name="Data">The chunks, compressed, one after another.</param>
public sealed record ChunkReference(ObjectReference Index, ObjectReference Data);
