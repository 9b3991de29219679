using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Core;

/// <summary>
/// The one way state reaches a disk: written to a temporary file in the same folder, fsync'ed, renamed over the old one,
/// and the folder fsync'ed. After a power cut a reader sees the whole old file or the whole new one.
/// </summary>
public static partial class DurableFile
{
    /// <summary>Mode 0644: everybody may read it, the owner write it.</summary>
    public const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Replaces <paramref name="path"/> with <paramref name="content"/>; <paramref name="mode"/> applies from the first byte on.</summary>
    /// <exception cref="IOException">The disk is full, read-only or failing; the old file is untouched.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var full = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(full)!;
        var temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = mode;
            using (var stream = new FileStream(temporary, options))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        SyncFolder(folder);
    }

    /// <summary>Deletes a file, should it be there; it is gone from the disk when this returns.</summary>
    public static void Delete(string path)
    {
        if (!File.Exists(path)) return;
        File.Delete(path);
        SyncFolder(Path.GetDirectoryName(path)!);
    }

    /// <summary>Makes renames, creations and deletions in <paramref name="folder"/> survive a power cut (fsync of the folder).</summary>
    public static void SyncFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        using var handle = OpenFolder(folder);
        if (fsync(handle) != 0) throw new IOException($"fsync of the folder {folder} failed: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private static SafeFileHandle OpenFolder(string folder)
    {
        // O_RDONLY is enough to fsync a folder and has the same value on every architecture, unlike O_DIRECTORY.
        const int readOnly = 0, closeOnExec = 0x80000;
        var handle = open(folder, readOnly | closeOnExec);
        return handle.IsInvalid ? throw new IOException($"cannot open the folder {folder}: {Marshal.GetLastPInvokeErrorMessage()}") : handle;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle handle);
}
