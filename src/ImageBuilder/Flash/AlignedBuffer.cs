using System.Runtime.InteropServices;

namespace Appliance.ImageBuilder.Flash;

/// <summary>Memory that begins where direct I/O wants it to (open(2), O_DIRECT): at a page, and does not move.</summary>
internal sealed class AlignedBuffer
{
    private const int Page = 4096;
    private readonly byte[] _bytes;
    private readonly int _start;

    /// <summary>Reserves zeros.</summary>
    public AlignedBuffer(int size)
    {
        Size = size;
        _bytes = GC.AllocateArray<byte>(size + Page, pinned: true);
        var misplaced = (int)(Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0) & (Page - 1));
        _start = misplaced == 0 ? 0 : Page - misplaced;
    }

    /// <summary>Its length in bytes.</summary>
    public int Size { get; }

    /// <summary>The memory.</summary>
    public Memory<byte> Memory => _bytes.AsMemory(_start, Size);
}
