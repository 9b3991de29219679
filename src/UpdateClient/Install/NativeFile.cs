using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Install;

/// <summary>The file calls that the base class library lacks.</summary>
internal static partial class NativeFile
{
    private const int NoSpace = 28, ReadOnly = 30, QuotaExceeded = 122;
    private const uint StartWriting = 2; // SYNC_FILE_RANGE_WRITE

    /// <summary>Size of a file or block device, whose length stat(2) does not tell.</summary>
    public static long SizeOf(SafeFileHandle handle)
    {
        const int end = 2;
        var size = lseek(handle, 0, end);
        return size >= 0 ? size : throw new IOException($"the size cannot be told: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Waits until what was written is on the disk.</summary>
    public static void SyncData(SafeFileHandle handle)
    {
        if (fdatasync(handle) != 0) throw new IOException($"fdatasync failed: {Marshal.GetLastPInvokeErrorMessage()}", Marshal.GetLastPInvokeError());
    }

    /// <summary>Has the kernel begin to write a range out, so that a later sync has less to wait for. Only a hint.</summary>
    public static void StartWriteback(SafeFileHandle handle, long offset, long length) => _ = sync_file_range(handle, offset, length, StartWriting);

    /// <summary>True for "no space left" and "quota exceeded".</summary>
    public static bool IsDiskFull(IOException e) => e.HResult is NoSpace or QuotaExceeded || e.Message.Contains("No space left", StringComparison.Ordinal);

    /// <summary>True for "read-only file system".</summary>
    public static bool IsReadOnly(IOException e) => e.HResult == ReadOnly || e.Message.Contains("Read-only", StringComparison.Ordinal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle handle, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(SafeFileHandle handle);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sync_file_range(SafeFileHandle handle, long offset, long length, uint flags);
}
