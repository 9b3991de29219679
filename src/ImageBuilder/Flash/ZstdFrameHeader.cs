using System.Buffers.Binary;

namespace Appliance.ImageBuilder.Flash;

/// <summary>The head of a zstd frame (RFC 8878, section 3.1.1.1).</summary>
/// <param name="Length">Bytes of the head itself.</param>
/// <param name="ContentSize">Plain bytes of the frame, or null when it does not say.</param>
/// <param name="HasChecksum">True when four bytes of checksum follow the blocks.</param>
internal readonly record struct ZstdFrameHeader(int Length, long? ContentSize, bool HasChecksum)
{
    /// <summary>Bytes that hold any head.</summary>
    public const int Longest = 18;

    private const uint Magic = 0xFD2FB528, SkippableMagic = 0x184D2A50, SkippableMask = 0xFFFFFFF0;

    /// <summary>True for a frame that holds no content but a note (section 3.1.2).</summary>
    public static bool IsSkippable(ReadOnlySpan<byte> bytes) => bytes.Length >= 8 && (BinaryPrimitives.ReadUInt32LittleEndian(bytes) & SkippableMask) == SkippableMagic;

    /// <summary>Reads it; null for anything else.</summary>
    public static ZstdFrameHeader? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 6 || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic) return null;
        var descriptor = bytes[4];
        var singleSegment = (descriptor & 0x20) != 0;
        var sizeField = (descriptor >> 6) switch { 0 => singleSegment ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        var dictionary = (descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 };
        var at = 5 + (singleSegment ? 0 : 1) + dictionary;
        if (bytes.Length < at + sizeField) return null;
        var field = bytes.Slice(at, sizeField);
        long? size = sizeField switch
        {
            0 => null,
            1 => field[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(field) + 256,
            4 => BinaryPrimitives.ReadUInt32LittleEndian(field),
            _ => BinaryPrimitives.ReadInt64LittleEndian(field),
        };
        return new ZstdFrameHeader(at + sizeField, size < 0 ? null : size, (descriptor & 4) != 0);
    }
}
