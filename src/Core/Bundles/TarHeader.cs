using System.Text;

namespace Appliance.Core.Bundles;

/// <summary>The part of a POSIX ustar header (IEEE 1003.1, pax, "ustar Interchange Format") that bundles use.</summary>
public readonly record struct TarHeader(string Name, long Size)
{
    /// <summary>Bytes of a header and of the unit that members are padded to.</summary>
    public const int BlockSize = 512;

    /// <summary>Bytes that the member takes after its header.</summary>
    public long PaddedSize => (Size + BlockSize - 1) / BlockSize * BlockSize;

    /// <summary>Reads a header; null for a block of zeros, which ends an archive.</summary>
    /// <exception cref="InvalidDataException">It is no header of a regular file.</exception>
    public static TarHeader? Parse(ReadOnlySpan<byte> block)
    {
        if (!block[..BlockSize].ContainsAnyExcept((byte)0)) return null;
        if (!block.Slice(257, 5).SequenceEqual("ustar"u8) || Octal(block.Slice(148, 8)) != Checksum(block)) throw new InvalidDataException("it is no tar archive");
        if (block[156] is not ((byte)'0' or 0)) throw new InvalidDataException("it holds something that is no regular file");
        var (prefix, name) = (Text(block.Slice(345, 155)), Text(block[..100]));
        return new TarHeader(prefix.Length > 0 ? $"{prefix}/{name}" : name, Octal(block.Slice(124, 12)));
    }

    private static long Checksum(ReadOnlySpan<byte> block)
    {
        var sum = 0L;
        for (var i = 0; i < BlockSize; i++) sum += i is >= 148 and < 156 ? (byte)' ' : block[i];
        return sum;
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? field : field[..end]);
    }

    /// <summary>An octal number; or, as GNU and POSIX 2024 write sizes from 8 GiB on, a binary one marked by the top bit.</summary>
    private static long Octal(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
        {
            var value = (long)(field[0] & 0x7f);
            foreach (var part in field[1..]) value = value < 1L << 54 ? value << 8 | part : throw new InvalidDataException("a size is out of bounds");
            return value;
        }
        var number = 0L;
        foreach (var digit in field.Trim("\0 "u8))
            number = digit is >= (byte)'0' and <= (byte)'7' ? number << 3 | (uint)(digit - '0') : throw new InvalidDataException("it is no tar archive");
        return number;
    }
}
