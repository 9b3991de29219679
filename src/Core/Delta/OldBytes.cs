using System.Buffers.Binary;

namespace Appliance.Core.Delta;

/// <summary>The old payload's bytes beside a stretch of the new one, readable a little beyond both its ends.</summary>
internal readonly ref struct OldBytes(ReadOnlySpan<byte> bytes)
{
    /// <summary>Bytes that are there before and after the stretch.</summary>
    public const int Margin = 16;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>The counterpart of the stretch's byte <paramref name="i"/>, which may lie in the margins.</summary>
    public byte this[int i] => _bytes[Margin + i];

    /// <summary>The counterparts alone.</summary>
    public ReadOnlySpan<byte> Counterparts => _bytes[Margin..^Margin];

    /// <summary>The bytes from two before a counterpart on.</summary>
    public ReadOnlySpan<byte> Around(int i) => _bytes[(Margin + i - 2)..];

    /// <summary>A part of the stretch.</summary>
    public OldBytes Slice(int start, int length) => new(_bytes.Slice(start, length + (2 * Margin)));

    /// <summary>The 32-bit word that begins at a counterpart.</summary>
    public uint Word(int i) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[(Margin + i)..]);

    /// <summary>That word and the one before it: the eight bytes around a counterpart.</summary>
    public ulong TwoWords(int i) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes[(Margin + i - 4)..]);

    /// <summary>Whether a 32-bit address relative to its own end begins here, as x86-64 code has them: call, jmp, jcc, and operands relative to RIP.</summary>
    public bool IsAddress(int i)
    {
        int one = this[i - 1], two = this[i - 2];
        var looks = (one & 0xFE) == 0xE8 || (two == 0x0F && (one & 0xF0) == 0x80) || ((one & 0xC7) == 0x05
            && two is 0x03 or 0x10 or 0x11 or 0x28 or 0x39 or 0x3B or 0x3D or 0x63 or 0x6F or 0x7F or 0x80 or 0x81 or 0x83 or 0x85 or 0x89 or 0x8B or 0x8D or 0xB6 or 0xC7 or 0xFF);
        return looks && this[i + 3] is 0 or 0xFF && Word(i) + 16 > 32; // not so far, and not the zero of an unlinked object
    }
}
