using System.Runtime.InteropServices;

namespace Appliance.Supervisor.Hooks;

/// <summary>Who owns a file, which .NET does not tell, and what others may do with it.</summary>
internal readonly partial record struct FileOwner(uint User, UnixFileMode Mode)
{
    // statx(2): its structure is the same on every architecture, unlike stat's.
    private const int CurrentFolder = -100, StructureSize = 256, UserOffset = 20, ModeOffset = 28;
    private const uint ModeWanted = 0x2, UserWanted = 0x8;

    /// <summary>The owner's user id and the permissions; links are followed.</summary>
    public static FileOwner Of(string path)
    {
        Span<byte> answer = stackalloc byte[StructureSize];
        if (statx(CurrentFolder, path, 0, ModeWanted | UserWanted, answer) != 0) throw new IOException($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");
        return new FileOwner(MemoryMarshal.Read<uint>(answer[UserOffset..]), (UnixFileMode)(MemoryMarshal.Read<ushort>(answer[ModeOffset..]) & 0xFFF));
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, Span<byte> answer);
}
