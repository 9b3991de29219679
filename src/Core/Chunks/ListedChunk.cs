namespace Appliance.Core.Chunks;

/// <summary>A small chunk as its big chunk's list has it.</summary>
/// <param name="ShortHash">Hash to find it by; see <see cref="ChunkScanner.ShortHash"/>.</param>
/// <param name="Length">Plain bytes.</param>
/// <param name="PackedLength">Bytes of its frame.</param>
public readonly record struct ListedChunk(uint ShortHash, int Length, int PackedLength);
