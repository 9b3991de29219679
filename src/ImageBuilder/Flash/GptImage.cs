using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Appliance.Core;

namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// The partition table at the start of an image (UEFI specification 2.10, section 5.3): it says how large the image is and where its
/// partitions are, and its backup belongs to the end of the disk, which is larger than the image.
/// </summary>
/// <param name="ImageSize">Bytes of the disk that the table was made for.</param>
/// <param name="Partitions">First byte of each partition, first byte after it, and its label.</param>
internal sealed record GptImage(long ImageSize, IReadOnlyList<(long Start, long End, string Label)> Partitions)
{
    private const int Sector = 512;
    private const int HeaderSize = 92, LargestEntries = 64 << 10;
    private const int HeaderChecksum = 16, MyPlace = 24, OtherPlace = 32, LastUsable = 48, EntriesPlace = 72, EntryCount = 80, EntrySize = 84, EntriesChecksum = 88;
    private const int FirstBlock = 32, LastBlock = 40, Label = 56, LabelSize = 72;

    /// <summary>Reads the table in the first bytes of an image; null when it has none.</summary>
    /// <exception cref="UserError">There is one, and it is damaged.</exception>
    public static GptImage? Read(ReadOnlySpan<byte> head)
    {
        if (head.Length < 2 * Sector || !head.Slice(Sector, 8).SequenceEqual("EFI PART"u8)) return null;
        var header = head.Slice(Sector, Sector);
        if (Checksum(header) != Field(header, HeaderChecksum)) throw Damaged();
        var (count, size, place) = ((long)Field(header, EntryCount), (long)Field(header, EntrySize), Place(header, EntriesPlace));
        if (size < 128 || count * size > LargestEntries || place < 2 || place > (ulong)(head.Length / Sector) || (long)place * Sector + count * size > head.Length) throw Damaged();
        var entries = head.Slice((int)place * Sector, (int)(count * size));
        if (Crc32.HashToUInt32(entries) != Field(header, EntriesChecksum)) throw Damaged();
        if (Place(header, OtherPlace) >= long.MaxValue / Sector) throw Damaged();
        var partitions = new List<(long, long, string)>();
        for (var at = 0; at + size <= entries.Length; at += (int)size)
        {
            var entry = entries.Slice(at, (int)size);
            var (first, last) = (Place(entry, FirstBlock), Place(entry, LastBlock));
            if (!entry[..16].ContainsAnyExcept((byte)0)) continue;
            if (last < first || last > Place(header, OtherPlace)) throw Damaged();
            partitions.Add(((long)first * Sector, ((long)last + 1) * Sector, Encoding.Unicode.GetString(entry.Slice(Label, LabelSize)).TrimEnd('\0')));
        }
        return new GptImage(((long)Place(header, OtherPlace) + 1) * Sector, partitions);
    }

    /// <summary>Makes the table in an image's first bytes one for a disk of this size, and returns its backup, the last bytes of the disk.</summary>
    public static byte[] Relocate(Span<byte> head, long diskSize)
    {
        var primary = head.Slice(Sector, Sector);
        var entriesBytes = (int)(Field(primary, EntryCount) * Field(primary, EntrySize));
        var entriesSectors = (entriesBytes + Sector - 1) / Sector;
        var last = (ulong)(diskSize / Sector) - 1;
        var tail = new byte[(entriesSectors + 1) * Sector];
        head.Slice((int)Place(primary, EntriesPlace) * Sector, entriesBytes).CopyTo(tail);

        if (Place(primary, OtherPlace) != last)
        {
            Set(primary, OtherPlace, last);
            Set(primary, LastUsable, last - (ulong)entriesSectors - 1);
            Seal(primary);
            BinaryPrimitives.WriteUInt32LittleEndian(head[(446 + 12)..], (uint)Math.Min(last, uint.MaxValue)); // the protective MBR's only entry
        }
        var backup = tail.AsSpan(tail.Length - Sector);
        primary.CopyTo(backup);
        Set(backup, MyPlace, last);
        Set(backup, OtherPlace, 1);
        Set(backup, EntriesPlace, last - (ulong)entriesSectors);
        Seal(backup);
        return tail;
    }

    private static UserError Damaged() => new("The image's GPT partition table is damaged.", "Build or fetch the image again.");

    private static uint Checksum(ReadOnlySpan<byte> header)
    {
        var copy = header[..HeaderSize].ToArray();
        copy.AsSpan(HeaderChecksum, 4).Clear();
        return Crc32.HashToUInt32(copy);
    }

    private static void Seal(Span<byte> header) => BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderChecksum..], Checksum(header));

    private static uint Field(ReadOnlySpan<byte> header, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(header[offset..]);

    private static ulong Place(ReadOnlySpan<byte> header, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(header[offset..]);

    private static void Set(Span<byte> header, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(header[offset..], value);
}
