using System.Runtime.InteropServices;

namespace Appliance.Core;

/// <summary>Who owns a file, which .NET does not tell, and what others may do with it.</summary>
/// <param name="User">The owner's user id.</param>
/// <param name="Group">The group's id.</param>
/// <param name="Mode">The permissions.</param>
public readonly partial record struct FileStatus(uint User, uint Group, UnixFileMode Mode)
{
    // statx(2): its structure is the same on every architecture, unlike stat's.
    private const int CurrentFolder = -100, NoFollow = 0x100, StructureSize = 256, AttributesOffset = 8, UserOffset = 20, GroupOffset = 24, ModeOffset = 28;
    private const uint ModeWanted = 0x2, UserWanted = 0x8, GroupWanted = 0x10;
    private const ulong MountRoot = 0x2000; // STATX_ATTR_MOUNT_ROOT, since Linux 5.8

    /// <summary>Whether something is mounted there: it cannot be renamed, nor anything be renamed over it.</summary>
    public bool IsMountPoint { get; init; }

    /// <summary>The status of what is at a path.</summary>
    /// <param name="path">The path.</param>
    /// <param name="followsLink">Whether it is that of a link's target, or of the link.</param>
    /// <exception cref="IOException">There is nothing.</exception>
    public static FileStatus Of(string path, bool followsLink = true)
    {
        Span<byte> answer = stackalloc byte[StructureSize];
        if (statx(CurrentFolder, path, followsLink ? 0 : NoFollow, ModeWanted | UserWanted | GroupWanted, answer) != 0) throw new IOException($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");
        return new FileStatus(MemoryMarshal.Read<uint>(answer[UserOffset..]), MemoryMarshal.Read<uint>(answer[GroupOffset..]), (UnixFileMode)(MemoryMarshal.Read<ushort>(answer[ModeOffset..]) & 0xFFF))
        {
            IsMountPoint = (MemoryMarshal.Read<ulong>(answer[AttributesOffset..]) & MountRoot) != 0,
        };
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, Span<byte> answer);
}
