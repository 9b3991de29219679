using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Delta;

/// <summary>
/// The frame of a patch file: eight bytes that name the format, the lengths of the new and the old payload (64-bit little
/// endian), and one arithmetic-coded stream. Whoever applies a patch verifies the result; the patch itself holds no hashes.
/// </summary>
internal static class PatchFormat
{
    /// <summary>Bytes before the coded stream.</summary>
    public const int HeaderSize = 24;

    /// <summary>Largest payload a patch is made for, in bytes.</summary>
    public const long LargestPayload = 64L << 30;

    private static ReadOnlySpan<byte> Name => "APPATCH1"u8;

    /// <summary>Makes the header.</summary>
    public static byte[] MakeHeader(long newLength, long oldLength)
    {
        var header = new byte[HeaderSize];
        Name.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), newLength);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), oldLength);
        return header;
    }

    /// <summary>Reads and checks a header.</summary>
    /// <exception cref="InvalidDataException">No patch, or of another format.</exception>
    public static (long NewLength, long OldLength) ReadHeader(Stream patch)
    {
        var header = new byte[HeaderSize];
        if (patch.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize) throw new InvalidDataException("the patch ends too early");
        if (!header.AsSpan(0, 8).SequenceEqual(Name)) throw new InvalidDataException("this is no patch of a format this program knows");
        var (newLength, oldLength) = (BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(8)), BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(16)));
        if (newLength is < 0 or > LargestPayload || oldLength is < 0 or > LargestPayload) throw new InvalidDataException("the patch states impossible sizes");
        return (newLength, oldLength);
    }

    /// <summary>Reads from a payload; outside of it everything is zero.</summary>
    public static void ReadPadded(SafeFileHandle file, long length, long offset, Span<byte> buffer)
    {
        if (offset < 0)
        {
            var zeros = (int)Math.Min(-offset, buffer.Length);
            buffer[..zeros].Clear();
            buffer = buffer[zeros..];
            offset = 0;
        }
        var inside = (int)Math.Clamp(length - offset, 0, buffer.Length);
        if (file.ReadUpTo(buffer[..inside], offset) < inside) throw new InvalidDataException("the old payload is shorter than the patch expects");
        buffer[inside..].Clear();
    }
}
