using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Usb;

/// <summary>
/// A stick's file system, mounted for this process alone: nothing of it can be written, run, or lead elsewhere, and it is in no
/// directory tree (a mount that fsmount(2) made and nobody moved). It is gone when this and every file opened on it is closed.
/// </summary>
internal sealed partial class StickMount : IDisposable
{
    private const int CloseOnExec = 1, AsFlag = 0, AsText = 1, Create = 6; // FSOPEN_CLOEXEC; FSCONFIG_SET_FLAG, _SET_STRING, _CMD_CREATE
    private const int ReadOnly = 1, NoSetUid = 2, NoDevices = 4, NoExecution = 8, NoLinks = 0x200000; // MOUNT_ATTR_*

    /// <summary>What sticks come with, and the options without which mounting could write: ext4's journal would be replayed.</summary>
    private static readonly (string Name, string? Option)[] Kinds = [("vfat", null), ("exfat", null), ("ext4", "noload"), ("iso9660", null)];

    private readonly SafeFileHandle _mount;

    private StickMount(SafeFileHandle mount) => _mount = mount;

    /// <summary>The top folder.</summary>
    public string Folder => $"/proc/self/fd/{_mount.DangerousGetHandle()}";

    /// <summary>Mounts what is on a block device.</summary>
    /// <exception cref="IOException">It is no file system of a known kind, or it is damaged.</exception>
    public static StickMount Open(string device)
    {
        var reasons = new List<string>();
        foreach (var (kind, option) in Kinds)
        {
            using var context = fsopen(kind, CloseOnExec);
            if (!context.IsInvalid && fsconfig(context, AsText, "source", device, 0) == 0 && fsconfig(context, AsFlag, "ro", null, 0) == 0
                && (option is null || fsconfig(context, AsFlag, option, null, 0) == 0) && fsconfig(context, Create, null, null, 0) == 0)
            {
                var mount = fsmount(context, CloseOnExec, ReadOnly | NoSetUid | NoDevices | NoExecution | NoLinks);
                if (!mount.IsInvalid) return new StickMount(mount);
                mount.Dispose();
            }
            reasons.Add($"{kind}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        throw new IOException($"{device} cannot be mounted ({string.Join("; ", reasons)})");
    }

    /// <inheritdoc/>
    public void Dispose() => _mount.Dispose();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle fsopen(string kind, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int fsconfig(SafeFileHandle context, int command, string? key, string? value, int aux);

    [LibraryImport("libc", SetLastError = true)]
    private static partial SafeFileHandle fsmount(SafeFileHandle context, int flags, int attributes);
}
