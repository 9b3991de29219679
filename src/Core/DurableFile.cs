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

    private const int GuidDigits = 32;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>For tests: told of what a power cut leaves, a file's content or the names in a folder.</summary>
    internal static event Action<string>? Synced;

    /// <summary>Replaces <paramref name="path"/> with <paramref name="content"/>; <paramref name="mode"/> applies from the first byte on.</summary>
    /// <exception cref="IOException">The disk is full, read-only or failing; the old file is untouched.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode = Private) => Write(path, content, mode, null);

    /// <summary>Replaces <paramref name="path"/> with <paramref name="content"/>; it has the owner, the group and the mode of <paramref name="status"/> from the first byte on.</summary>
    /// <exception cref="IOException">The disk is full, read-only or failing, or the file cannot be given away; the old file is untouched.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, FileStatus status) => Write(path, content, Private, status);

    private static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode, FileStatus? status)
    {
        var full = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(full)!;
        var temporary = Path.Combine(folder, TemporaryOf(full, $"{Guid.NewGuid():N}"));
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = mode;
            using (var stream = new FileStream(temporary, options))
            {
                if (status is { } wanted) Give(stream.SafeFileHandle, temporary, wanted);
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }
            Synced?.Invoke(temporary);
            File.Move(temporary, full, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        SyncFolder(folder);
    }

    /// <summary>Whether a file is there and has this content: it need not be written, which may want room that the disk has not.</summary>
    public static bool Holds(string path, ReadOnlySpan<byte> content) => File.Exists(path) && content.SequenceEqual(File.ReadAllBytes(path));

    /// <summary>Makes a folder, and those above it that are not there; they are on the disk when this returns. One that is there stays as it is.</summary>
    public static void CreateFolder(string path, UnixFileMode mode)
    {
        if (Directory.Exists(path)) return;
        var above = Path.GetDirectoryName(Path.GetFullPath(path))!;
        CreateFolder(above, mode);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, mode);
        SyncFolder(above);
    }

    /// <summary>Deletes what a power cut has left of writing a file: it may be secret. Nobody else may be writing it.</summary>
    public static void RemoveLeftovers(string path)
    {
        var full = Path.GetFullPath(path);
        var left = Directory.GetFiles(Path.GetDirectoryName(full)!, TemporaryOf(full, new string('?', GuidDigits)));
        foreach (var temporary in left) File.Delete(temporary);
        if (left.Length > 0) SyncFolder(Path.GetDirectoryName(full)!);
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
        Synced?.Invoke(folder);
    }

    private static string TemporaryOf(string path, string unique) => $".{Path.GetFileName(path)}.{unique}.tmp";

    /// <summary>The mode comes last: a change of the owner takes bits of it away, and the umask none.</summary>
    private static void Give(SafeFileHandle file, string path, FileStatus status)
    {
        if (fchown(file, status.User, status.Group) != 0) throw new IOException($"{path} cannot be given to user {status.User} and group {status.Group}: {Marshal.GetLastPInvokeErrorMessage()}");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, status.Mode);
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

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchown(SafeFileHandle file, uint user, uint group);
}
