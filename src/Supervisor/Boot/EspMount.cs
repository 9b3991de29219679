using System.Globalization;
using System.Runtime.InteropServices;
using Appliance.Core;
using Appliance.UpdateClient.Install;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// A mounted boot partition (FAT), writable unless asked otherwise, and kept mounted until this is disposed (systemd's automount lets go of an idle
/// one).
/// </summary>
internal sealed partial class EspMount : IDisposable
{
    private const string OwnPlace = "run/appliance/boot";

    /// <summary>No set-user-ID, no devices, no programs (mount(2)).</summary>
    private const nuint MountFlags = 2 | 4 | 8;

    /// <summary>Where systemd-gpt-auto-generator mounts it, the likelier place first.</summary>
    private static readonly string[] Places = ["boot", "efi"];
    private readonly SafeFileHandle _held;

    private readonly bool _mounted;
    private bool _own;

    private EspMount(string folder, SafeFileHandle held, bool mounted) => (Folder, _held, _mounted) = (folder, held, mounted);

    /// <summary>The mount point.</summary>
    public string Folder { get; }

    /// <summary>The ESP of a disk; a look into the automount's folder mounts it.</summary>
    /// <exception cref="UserError">The disk has none, or it cannot be mounted.</exception>
    public static EspMount Find(GptTable table, string root)
    {
        var esp = table.Partitions.FirstOrDefault(part => part.Type == GptTable.EspType) ?? throw new UserError($"{table.Disk} has no EFI system partition.", "Check that it is the disk the image was written to.");
        foreach (var place in Places) _ = Directory.Exists(Path.Combine(root, place, "EFI"));
        return Find(esp, root);
    }

    /// <summary>
    /// A boot partition where it is mounted already. Where it is not, as the ESP while the machine shuts down, it is mounted in a
    /// place of its own.
    /// </summary>
    /// <exception cref="UserError">It cannot be mounted.</exception>
    public static EspMount Find(GptPartition partition, string root)
    {
        var numbers = File.ReadAllText(Path.Combine(root, "sys/class/block", Path.GetFileName(partition.Node), "dev")).Trim();
        return FindMountPoint(File.ReadLines(Path.Combine(root, "proc/self/mountinfo")), numbers) is { } folder
            ? Open(folder, mounted: true)
            : Mount(partition.Node, Path.Combine(root, OwnPlace, partition.Number.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>Mounts a boot partition until this is disposed.</summary>
    /// <param name="device">Its block device.</param>
    /// <param name="folder">Where; made when it is missing.</param>
    /// <param name="fileSystem">What is on it.</param>
    /// <param name="options">The file system's own options.</param>
    /// <param name="writable">False to look only, until <see cref="MakeWritable"/>: FAT marks itself as in use while it can be written.</param>
    public static EspMount Mount(string device, string folder, string fileSystem = "vfat", string? options = "umask=0077", bool writable = true)
    {
        const nuint readOnly = 1;
        Directory.CreateDirectory(folder);
        if (mount(device, folder, fileSystem, MountFlags | (writable ? 0 : readOnly), options) != 0)
            throw new UserError($"The boot partition {device} cannot be mounted: {Marshal.GetLastPInvokeErrorMessage()}.", "Check that it holds a FAT file system: `blkid`.");
        try
        {
            var mounted = Open(folder, mounted: true, writable);
            mounted._own = true;
            return mounted;
        }
        catch
        {
            _ = umount2(folder, 0);
            throw;
        }
    }

    /// <summary>Takes a folder for a boot partition.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="mounted">It is a mount point, and its options may be changed.</param>
    /// <param name="writable">It is made writable where it is not.</param>
    public static EspMount Open(string folder, bool mounted = false, bool writable = true)
    {
        const int readOnly = 0, closeOnExec = 0x80000;
        var held = open(folder, readOnly | closeOnExec);
        if (held.IsInvalid) throw new IOException($"cannot open {folder}: {Marshal.GetLastPInvokeErrorMessage()}");
        var mount = new EspMount(folder, held, mounted);
        try
        {
            if (mounted && writable) Reconfigure(folder, "rw");
            return mount;
        }
        catch
        {
            mount.Dispose();
            throw;
        }
    }

    /// <summary>Makes one that was mounted to look at writable, the mount as well as the file system.</summary>
    /// <exception cref="IOException">It cannot be: the disk is read-only.</exception>
    public void MakeWritable()
    {
        const nuint remount = 32;
        if (mount("none", Folder, "none", MountFlags | remount, null) != 0) throw new IOException($"{Folder} cannot be made writable: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>
    /// While <paramref name="change"/> runs, names reach the disk in the order they are given: the new name before the old one
    /// goes. <c>dirsync</c> would be enough, but no kernel changes that for what is mounted; and <c>sync</c> for good would make
    /// the writing of a kernel image slow.
    /// </summary>
    public void InOrder(Action change)
    {
        if (_mounted) Reconfigure(Folder, "sync");
        try
        {
            change();
        }
        finally
        {
            if (_mounted) Reconfigure(Folder, "async");
        }
    }

    /// <summary>The mount point of a device (<c>MAJOR:MINOR</c>) in the lines of <c>mountinfo</c>; null when it has none.</summary>
    public static string? FindMountPoint(IEnumerable<string> mountinfo, string numbers) =>
        mountinfo.Select(line => line.Split(' ')).Where(fields => fields.Length > 4 && fields[2] == numbers && fields[3] == "/").Select(fields => fields[4].Replace("\\040", " ", StringComparison.Ordinal)).FirstOrDefault();

    /// <inheritdoc/>
    public void Dispose()
    {
        const int detach = 2;
        _held.Dispose();
        if (_own && umount2(Folder, detach) != 0) throw new IOException($"{Folder} cannot be unmounted: {Marshal.GetLastPInvokeErrorMessage()}");
        _own = false;
    }

    private static void Reconfigure(string folder, string flag)
    {
        const int currentFolder = -100;
        const uint closeOnExec = 1, setFlag = 0, reconfigure = 7;
        using var context = fspick(currentFolder, folder, closeOnExec);
        if (context.IsInvalid || fsconfig(context, setFlag, flag, 0, 0) != 0 || fsconfig(context, reconfigure, null, 0, 0) != 0)
            throw new IOException($"{folder} cannot be remounted \"{flag}\": {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle fspick(int folder, string path, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int fsconfig(SafeFileHandle context, uint command, string? key, nint value, int auxiliary);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string fileSystem, nuint flags, string? options);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);
}
