using System.Runtime.InteropServices;
using Appliance.Core;
using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Flash;

/// <summary>
/// An open target. A disk is opened for this program alone (open(2), O_EXCL on a block device: the kernel refuses it while anything is
/// mounted from it or holds it), locked against udev's probing (systemd's block device locking), and read and written past the page cache.
/// </summary>
internal sealed partial class TargetDevice : IDisposable
{
    /// <summary>Smallest unit of direct I/O.</summary>
    public const int Sector = 512;

    private const int ReadWrite = 2, Create = 0x40, Exclusive = 0x80, CloseOnExec = 0x80000, NonBlocking = 0x800;
    private const int InvalidArgument = 22, Busy = 16;
    private const int LockExclusive = 2, LockNow = 4;
    private const int DontNeed = 4; // POSIX_FADV_DONTNEED
    private const ulong RereadTable = 0x125F, FlushBuffers = 0x1261, Discard = 0x1277, Eject = 0x5309, GetSize = 0x80081272, GetSequence = 0x80081280;
    private const long DiscardStep = 1L << 30;
    private const int NewFileMode = 0x1A4, SecretFileMode = 0x180; // rw-r--r--, rw-------

    // fcntl.h: the flag has another value on Arm.
    private static readonly int Direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000 : 0x4000;

    private readonly SafeFileHandle _handle;
    private readonly bool _isDisk, _isDirect, _isAlone;

    private TargetDevice(string path, SafeFileHandle handle, bool isDisk, bool isDirect, bool isAlone, long? size) =>
        (Path, _handle, _isDisk, _isDirect, _isAlone, Size) = (path, handle, isDisk, isDirect, isAlone, size);

    /// <summary>Path of the device or file.</summary>
    public string Path { get; }

    /// <summary>Its bytes; null of a file, which grows.</summary>
    public long? Size { get; }

    /// <summary>Opens a whole disk.</summary>
    /// <param name="disk">The disk as the person has seen it.</param>
    /// <param name="inUse">True when the person has agreed to overwrite what is in use.</param>
    /// <exception cref="UserError">Somebody else has it, or it may not be written, or another one has taken its name since.</exception>
    public static TargetDevice OpenDisk(FlashDisk disk, bool inUse)
    {
        var path = disk.Path;
        var flags = ReadWrite | CloseOnExec | (inUse ? 0 : Exclusive);
        var handle = Open(path, flags | Direct);
        var isDirect = handle is not null;
        if (handle is null && Marshal.GetLastPInvokeError() == InvalidArgument) handle = Open(path, flags);
        if (handle is null) throw Unwritable(path, Marshal.GetLastPInvokeError(), Marshal.GetLastPInvokeErrorMessage());
        var isTheSame = Ask(handle, GetSize) == disk.Size && (disk.Sequence is null || Ask(handle, GetSequence) == disk.Sequence);
        if (isTheSame && flock(handle, LockExclusive | LockNow) == 0) return new TargetDevice(path, handle, true, isDirect, !inUse, disk.Size);
        handle.Dispose();
        throw isTheSame
            ? new UserError($"{path} is locked by another program.", "Wait until it has ended: another flash, a partitioning tool, or udev, for a moment.")
            : new UserError($"{path} is another disk now than the one that was shown ({disk.Description}).", "Nothing was written. Run it again and look at what it shows.");
    }

    /// <summary>Makes a file.</summary>
    /// <param name="path">A name that nothing has.</param>
    /// <param name="isSecret">True when only its owner may read it.</param>
    /// <exception cref="UserError">It cannot be made.</exception>
    public static TargetDevice CreateFile(string path, bool isSecret)
    {
        var handle = Open(path, ReadWrite | CloseOnExec | Create | Exclusive, isSecret ? SecretFileMode : NewFileMode) ?? throw Unwritable(path, Marshal.GetLastPInvokeError(), Marshal.GetLastPInvokeErrorMessage());
        return new TargetDevice(path, handle, false, false, true, null);
    }

    /// <summary>Whether anything but a mount this program can see has a disk: ZFS, a member of a btrfs, another program.</summary>
    public static bool IsHeld(string path)
    {
        using var handle = Open(path, Exclusive | CloseOnExec | NonBlocking);
        return handle is null && Marshal.GetLastPInvokeError() == Busy;
    }

    /// <summary>Writes at a position; a disk is written in whole sectors from an <see cref="AlignedBuffer"/>.</summary>
    /// <exception cref="UserError">The device does not take it.</exception>
    public void Write(ReadOnlyMemory<byte> bytes, long position)
    {
        try
        {
            RandomAccess.Write(_handle, bytes.Span, position);
        }
        catch (IOException e) when (_isDisk)
        {
            throw Failing("writing", position, e);
        }
    }

    /// <summary>Fills a buffer from a position, from the medium itself.</summary>
    /// <exception cref="UserError">The device cannot be read.</exception>
    public void Read(Memory<byte> buffer, long position)
    {
        try
        {
            for (var filled = 0; filled < buffer.Length;)
            {
                var read = RandomAccess.Read(_handle, buffer.Span[filled..], position + filled);
                if (read == 0) throw new IOException("it ends there");
                filled += read;
            }
        }
        catch (IOException e) when (_isDisk)
        {
            throw Failing("reading", position, e);
        }
    }

    /// <summary>Waits until what was written is on the medium, and has it read from there from now on.</summary>
    /// <exception cref="UserError">The device did not take it.</exception>
    public void Flush()
    {
        try
        {
            // Not .NET's flush, which takes some failures for "this kind of file cannot be synced".
            if (fsync(_handle) != 0) throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }
        catch (IOException e) when (_isDisk)
        {
            throw Failing("syncing", null, e);
        }
        if (_isDirect) return;
        if (_isDisk) _ = ioctl(_handle, FlushBuffers, 0);
        _ = posix_fadvise(_handle, 0, 0, DontNeed);
    }

    /// <summary>Gives a file its length.</summary>
    public void SetLength(long length) => RandomAccess.SetLength(_handle, length);

    /// <summary>
    /// Tells the device that it need not keep anything. Cards and disks write faster afterwards. What such a block holds then is not
    /// defined, so nothing relies on it; devices that cannot do it are left alone, and so is one that the running system still reads from.
    /// </summary>
    public void DiscardAll(CancellationToken cancellationToken)
    {
        for (long position = 0; _isAlone && position < Size; position += DiscardStep)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (ioctl(_handle, Discard, [(ulong)position, (ulong)Math.Min(DiscardStep, Size.Value - position)]) != 0) return;
        }
    }

    /// <summary>Has the kernel look at the new partition table. Not possible while something of the old one is in use, and udev does it, too.</summary>
    public void RereadPartitions() => _ = ioctl(_handle, RereadTable, 0);

    /// <summary>Ejects the medium; false where the device knows no such thing.</summary>
    public bool TryEject() => ioctl(_handle, Eject, 0) == 0;

    public void Dispose() => _handle.Dispose();

    private UserError Failing(string doing, long? position, IOException e) =>
        new($"{Path} failed while {doing}{(position is { } at ? $" byte {at}" : "")}: {e.Message}", "The card, disk or reader is failing or was pulled out; use another one.", e);

    private static UserError Unwritable(string path, int error, string reason)
    {
        const int notPermitted = 1, noAccess = 13, readOnly = 30;
        return error switch
        {
            Busy => new($"{path} is in use.", "Something has mounted or opened it; lsblk and fuser -v say what."),
            notPermitted or noAccess when !Environment.IsPrivilegedProcess => new($"{path} cannot be written: {reason}", "Run it with sudo."),
            readOnly => new($"{path} is write-protected.", "Check the card's switch."),
            _ => new($"{path} cannot be written: {reason}"),
        };
    }

    /// <summary>A number that the kernel says of a disk; -1 where it does not know such a thing.</summary>
    private static long Ask(SafeFileHandle handle, ulong request)
    {
        ulong[] answer = [0];
        return ioctl(handle, request, answer) == 0 ? (long)answer[0] : -1;
    }

    private static SafeFileHandle? Open(string path, int flags, int mode = 0)
    {
        var descriptor = open(path, flags, mode);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle handle);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle handle, ulong request, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle handle, ulong request, ulong[] argument);

    [LibraryImport("libc")]
    private static partial int posix_fadvise(SafeFileHandle handle, long offset, long length, int advice);
}
