using System.Runtime.InteropServices;
using Appliance.Core;
using Appliance.Supervisor.Processes;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.State;

/// <summary>The operations that snapshots and restores are made of, each of which a power cut may interrupt.</summary>
/// <param name="before">Called before each operation; tests cut the power there.</param>
internal sealed partial class StateDisk(Action<StateDisk.Operation, string, string?>? before = null)
{
    private const int OtherFileSystem = 18, Busy = 16; // EXDEV, EBUSY
    private static readonly TimeSpan LongestCopy = TimeSpan.FromHours(1);

    /// <summary>The kinds of operations.</summary>
    public enum Operation { CreateFolder, Move, Write, Remove, Copy, Sync }

    /// <summary>True for a folder that is no link.</summary>
    public static bool IsFolder(string path) => Attributes(path) is { } found && found.HasFlag(FileAttributes.Directory) && !found.HasFlag(FileAttributes.ReparsePoint);

    /// <summary>True when there is anything, be it a link to nowhere.</summary>
    public static bool Exists(string path) => Attributes(path) is not null;

    /// <summary>Makes a folder and those above it.</summary>
    public void CreateFolder(string path, UnixFileMode mode)
    {
        before?.Invoke(Operation.CreateFolder, path, null);
        if (!OperatingSystem.IsWindows()) Directory.CreateDirectory(path, mode);
    }

    /// <summary>Renames; false when the target is on another file system, or the source is a mount point.</summary>
    public bool TryMove(string from, string to)
    {
        before?.Invoke(Operation.Move, from, to);
        if (rename(from, to) == 0) return true;
        return Marshal.GetLastPInvokeError() is OtherFileSystem or Busy ? false : throw Failure($"{from} cannot be moved to {to}");
    }

    /// <summary>Renames within a file system.</summary>
    public void Move(string from, string to)
    {
        if (!TryMove(from, to)) throw Failure($"{from} cannot be moved to {to}");
    }

    /// <summary>Replaces a file.</summary>
    public void Write(string path, ReadOnlySpan<byte> content)
    {
        before?.Invoke(Operation.Write, path, null);
        DurableFile.Write(path, content, DurableFile.Readable);
    }

    /// <summary>Deletes what there is, if anything. Of a mount point only the content.</summary>
    public void Remove(string path)
    {
        if (!Exists(path)) return;
        before?.Invoke(Operation.Remove, path, null);
        if (!IsFolder(path))
        {
            File.Delete(path);
            return;
        }
        foreach (var entry in new DirectoryInfo(path).EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo folder && folder.LinkTarget is null) folder.Delete(recursive: true);
            else entry.Delete();
        }
        if (rmdir(path) != 0 && Marshal.GetLastPInvokeError() != Busy) throw Failure($"{path} cannot be deleted");
    }

    /// <summary>
    /// Copies a file, or a folder with all that is in it on its file system: owners, modes, times, extended attributes, hard links
    /// and holes. Over a file that exists it writes into that file; over a folder it adds.
    /// </summary>
    /// <exception cref="UserError">The disk is full.</exception>
    /// <exception cref="IOException">The copy failed.</exception>
    public async Task CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        before?.Invoke(Operation.Copy, from, to);
        var command = new ProcessCommand("cp", "--archive", "--one-file-system", "--reflink=auto", "--sparse=auto", "--no-target-directory", "--", from, to) { Limit = LongestCopy };
        var outcome = await ProcessRunner.RunAsync(command, cancellationToken);
        if (outcome.Succeeded) return;
        var said = outcome.TimedOut ? "it took too long" : string.Join(" | ", outcome.Tail);
        if (said.Contains("No space left", StringComparison.Ordinal) || said.Contains("quota", StringComparison.Ordinal)) throw new UserError($"The disk was full while {from} was copied.", "Free space on the data partition.");
        throw new IOException($"{from} cannot be copied to {to}: {said}");
    }

    /// <summary>Bytes that a copy would take on the disk: hard links count once, holes not at all.</summary>
    public static async Task<long> SizeAsync(string path, CancellationToken cancellationToken)
    {
        var outcome = await ProcessRunner.RunAsync(new ProcessCommand("du", "--summarize", "--one-file-system", "--block-size=1", "--", path) { Limit = LongestCopy }, cancellationToken);
        return outcome.Succeeded && outcome.Tail is [.., var line] && long.TryParse(line.Split('\t')[0], out var bytes) ? bytes
            : throw new IOException($"the size of {path} cannot be told: {string.Join(" | ", outcome.Tail)}");
    }

    /// <summary>Everything written so far to the file system of a folder is on the disk.</summary>
    public void Sync(string folder)
    {
        before?.Invoke(Operation.Sync, folder, null);
        const int readOnly = 0, closeOnExec = 0x80000;
        using var handle = open(folder, readOnly | closeOnExec);
        if (handle.IsInvalid || syncfs(handle) != 0) throw Failure($"the file system of {folder} cannot be synced");
    }

    private static FileAttributes? Attributes(string path)
    {
        var found = new FileInfo(path).Attributes;
        return (int)found == -1 ? null : found;
    }

    private static IOException Failure(string what) => new($"{what}: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rmdir(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int syncfs(SafeFileHandle handle);
}
