using System.Buffers.Binary;

namespace Appliance.Core.Chunks;

/// <summary>
/// Makes the relative addresses in machine code absolute, so that calls of one function look alike wherever they are, and back
/// (the idea of the BCJ filters of xz). Every chunk is filtered on its own; what only looks like code comes back as it was.
/// </summary>
internal static class AddressFilter
{
    private const int Operand = 4;
    private const int RangeBits = 25; // how far an address may be away to be taken for one

    /// <summary>Makes addresses absolute.</summary>
    /// <param name="code">Whose code.</param>
    /// <param name="chunk">A small chunk.</param>
    /// <param name="offset">Where it is in the payload.</param>
    public static void MakeAbsolute(MachineCode code, Span<byte> chunk, long offset)
    {
        if (code == MachineCode.X64) X64(chunk, offset, absolute: true);
        else if (code == MachineCode.Arm64) Arm64(chunk, offset, absolute: true);
    }

    /// <summary>Undoes <see cref="MakeAbsolute"/>.</summary>
    public static void MakeRelative(MachineCode code, Span<byte> chunk, long offset)
    {
        if (code == MachineCode.X64) X64(chunk, offset, absolute: false);
        else if (code == MachineCode.Arm64) Arm64(chunk, offset, absolute: false);
    }

    /// <summary>CALL, JMP, Jcc, and LEA, MOV and CMP relative to RIP (Intel SDM, volume 2): four bytes relative to their own end.</summary>
    private static void X64(Span<byte> chunk, long offset, bool absolute)
    {
        byte code = 0;
        for (var i = 0; i + Operand < chunk.Length; i++)
        {
            var previous = code;
            code = chunk[i];
            bool found;
            if ((code & 0xFE) == 0xE8) found = true;
            else if ((code & 0xC7) == 0x05) found = previous is 0x8D or 0x8B or 0x89 or 0x3B or 0x39;
            else found = (code & 0xF0) == 0x80 && previous == 0x0F;
            if (!found) continue;
            var operand = chunk.Slice(i + 1, Operand);
            var end = (int)(offset + i + 1 + Operand);
            if (absolute) ToAbsolute(operand, end);
            else ToRelative(operand, end);
            i += Operand;
            code = 0; // the operand is not the same in both directions, so it decides nothing
        }
    }

    /// <summary>
    /// Absolute addresses are put with their highest byte first: the high bytes are what repeats. So that both directions know
    /// what is an address, bytes that are none but would be taken for one the other way round are turned round too.
    /// </summary>
    private static void ToAbsolute(Span<byte> operand, int end)
    {
        var relative = BinaryPrimitives.ReadInt32LittleEndian(operand);
        if (InRange(relative)) BinaryPrimitives.WriteInt32BigEndian(operand, Wrap(relative + end));
        else if (InRange(BinaryPrimitives.ReverseEndianness(relative))) operand.Reverse();
    }

    private static void ToRelative(Span<byte> operand, int end)
    {
        var absolute = BinaryPrimitives.ReadInt32BigEndian(operand);
        if (InRange(absolute)) BinaryPrimitives.WriteInt32LittleEndian(operand, Wrap(absolute - end));
        else if (InRange(BinaryPrimitives.ReverseEndianness(absolute))) operand.Reverse();
    }

    private static int Wrap(int value) => value << (32 - RangeBits) >> (32 - RangeBits);

    private static bool InRange(int value) => Wrap(value) == value;

    /// <summary>BL and ADRP (Arm ARM, C6.2): words at multiples of four; only their immediate bits change.</summary>
    private static void Arm64(Span<byte> chunk, long offset, bool absolute)
    {
        for (var i = (int)(-offset & 3); i + Operand <= chunk.Length; i += Operand)
        {
            var word = BinaryPrimitives.ReadUInt32LittleEndian(chunk[i..]);
            if (word >> 26 == 0b100101)
            {
                var here = (uint)((offset + i) >> 2);
                word = (word & 0xFC000000) | ((absolute ? word + here : word - here) & 0x03FFFFFF);
            }
            else if ((word & 0x9F000000) == 0x90000000)
            {
                var here = (uint)((offset + i) >> 12);
                var page = ((word >> 3) & 0x1FFFFC) | ((word >> 29) & 3);
                page = absolute ? page + here : page - here;
                word = (word & 0x9F00001F) | ((page & 3) << 29) | ((page & 0x1FFFFC) << 3);
            }
            else continue;
            BinaryPrimitives.WriteUInt32LittleEndian(chunk[i..], word);
        }
    }
}
