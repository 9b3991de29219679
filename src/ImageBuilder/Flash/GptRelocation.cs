using System.Buffers.Binary;
using System.IO.Hashing;
using Appliance.Core;
using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// Moves an image's backup partition table to the end of the larger disk it was written to (UEFI specification 2.10,
/// section 5.3), so that firmware and tools find both copies where they look.
/// </summary>
internal static class GptRelocation
{
    private const int Sector = 512;
    private const int HeaderSize = 92;
    private const int HeaderChecksum = 16, MyPlace = 24, OtherPlace = 32, LastUsable = 48, EntriesPlace = 72, EntryCount = 80, EntrySize = 84;

    /// <summary>Rewrites both headers for a disk of this size in bytes.</summary>
    /// <exception cref="UserError">There is no valid partition table at the start.</exception>
    public static void Apply(SafeFileHandle disk, long diskSize)
    {
        var primary = new byte[Sector];
        if (RandomAccess.Read(disk, primary, Sector) != Sector || !primary.AsSpan(0, 8).SequenceEqual("EFI PART"u8) || Checksum(primary) != Field(primary, HeaderChecksum))
            throw new UserError("The image has no valid GPT partition table.", "Build or fetch it again.");
        var entriesBytes = (int)(Field(primary, EntryCount) * Field(primary, EntrySize));
        var entriesSectors = (entriesBytes + Sector - 1) / Sector;
        var entries = new byte[entriesSectors * Sector];
        RandomAccess.Read(disk, entries, (long)Place(primary, EntriesPlace) * Sector);

        var last = (ulong)(diskSize / Sector) - 1;
        Set(primary, OtherPlace, last);
        Set(primary, LastUsable, last - (ulong)entriesSectors - 1);
        Seal(primary);
        var backup = primary.ToArray();
        Set(backup, MyPlace, last);
        Set(backup, OtherPlace, 1);
        Set(backup, EntriesPlace, last - (ulong)entriesSectors);
        Seal(backup);

        // The backup first: a cut in between leaves the primary header as it was.
        RandomAccess.Write(disk, entries, (long)(last - (ulong)entriesSectors) * Sector);
        RandomAccess.Write(disk, backup, (long)last * Sector);
        RandomAccess.Write(disk, primary, Sector);
        var protective = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(protective, (uint)Math.Min(last, uint.MaxValue));
        RandomAccess.Write(disk, protective, 446 + 12);
    }

    private static uint Checksum(byte[] header)
    {
        var copy = header.AsSpan(0, HeaderSize).ToArray();
        copy.AsSpan(HeaderChecksum, 4).Clear();
        return Crc32.HashToUInt32(copy);
    }

    private static void Seal(byte[] header) => BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(HeaderChecksum), Checksum(header));

    private static uint Field(byte[] header, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(offset));

    private static ulong Place(byte[] header, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(offset));

    private static void Set(byte[] header, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(offset), value);
}
