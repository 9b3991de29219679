using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Chunks;

/// <summary>Old content chunks may be copied from.</summary>
/// <param name="File">A slot's block device or a file; only read.</param>
/// <param name="Length">How many of its bytes are looked at.</param>
/// <param name="IsTarget">Whether the payload is written to this very slot: then a byte holds old content only until its turn comes.</param>
public sealed record ChunkSeed(SafeFileHandle File, long Length, bool IsTarget);
