namespace Appliance.UpdateClient.Chunks;

/// <summary>A big chunk no seed has: its list, and where each of its small chunks can be copied from.</summary>
internal readonly record struct MissingChunk(ReadOnlyMemory<byte> List, Memory<SeedPlace> Places);
