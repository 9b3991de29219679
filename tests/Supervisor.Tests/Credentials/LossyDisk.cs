using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>
/// The folders etc and var of a scene as a power cut leaves them. It is told of every sync, and keeps a second tree of hard links: what
/// is on the disk. A file's content is there once the file was synced, and a name once its folder was; of a folder that was made or
/// moved, all names, as the file systems with a journal have it.
/// </summary>
internal sealed partial class LossyDisk : IDisposable
{
    private static readonly string[] Parts = ["etc", "var"];

    private readonly string _root;
    private readonly DirectoryInfo _kept = Directory.CreateTempSubdirectory("kept");
    private readonly Dictionary<ulong, byte[]> _contents = [];
    private readonly Dictionary<string, ulong> _folders = [];
    private readonly Lock _lock = new();

    public LossyDisk(string root)
    {
        _root = root;
        foreach (var part in Parts) Directory.CreateDirectory(Path.Combine(root, part));
        Settle(root);
        DurableFile.Synced += OnSynced;
        CredentialCommand.Succeeded += OnSucceeded;
    }

    /// <summary>A folder, from the root, whose owner syncs what it writes: a database does.</summary>
    public string? Foreign { get; set; }

    public void Dispose()
    {
        DurableFile.Synced -= OnSynced;
        CredentialCommand.Succeeded -= OnSucceeded;
        _kept.Delete(recursive: true);
    }

    /// <summary>All that is in <see cref="Foreign"/> is on the disk.</summary>
    public void SettleForeign()
    {
        if (Foreign is { } foreign && Directory.Exists(Path.Combine(_root, foreign))) Settle(Path.Combine(_root, foreign));
    }

    /// <summary>The power goes.</summary>
    public void Cut(Loss loss)
    {
        if (loss == Loss.Nothing) return;
        lock (_lock)
        {
            foreach (var file in Trees.SelectMany(Files).Where(file => file.Length > 0 && !(_contents.TryGetValue(Inode(file.FullName), out var content) && content.AsSpan().SequenceEqual(Hash(file)))))
                file.Open(FileMode.Truncate).Dispose();
            if (loss == Loss.Everything)
            {
                foreach (var part in Parts)
                {
                    Directory.Delete(Path.Combine(_root, part), recursive: true);
                    Link(new DirectoryInfo(Kept(Path.Combine(_root, part))), Path.Combine(_root, part));
                }
            }
            Settle(_root);
        }
    }

    private IEnumerable<string> Trees => Parts.Select(part => Path.Combine(_root, part)).Append(_kept.FullName);

    private void OnSucceeded(string program, IReadOnlyList<string> arguments)
    {
        if (program == "sync" && IsOurs(arguments[^1])) Settle(_root);
        else if (program.StartsWith($"{_root}/", StringComparison.Ordinal)) SettleForeign(); // not what another test's program wrote
    }

    private void OnSynced(string path)
    {
        if (!IsOurs(path)) return;
        lock (_lock)
        {
            if (Directory.Exists(path))
            {
                Anchor(path);
                Keep(path);
            }
            else KeepContent(new FileInfo(path));
        }
    }

    private bool IsOurs(string path) => Parts.Any(part => $"{path}/".StartsWith($"{_root}/{part}/", StringComparison.Ordinal));

    /// <summary>All that is below a folder is on the disk.</summary>
    private void Settle(string folder)
    {
        lock (_lock)
        {
            foreach (var part in folder == _root ? Parts.Select(part => Path.Combine(_root, part)) : [folder])
            {
                foreach (var file in Files(part)) KeepContent(file);
                Anchor(part);
                KeepAll(part);
            }
        }
    }

    private void KeepContent(FileInfo file)
    {
        var inode = Inode(file.FullName);
        _contents[inode] = Hash(file);
        // While there is a name for it, no other file gets its number.
        if (!File.Exists(Path.Combine(_kept.FullName, $"{inode}"))) Link(file.FullName, Path.Combine(_kept.FullName, $"{inode}"));
    }

    /// <summary>The folders above one that was synced are on the disk with it.</summary>
    private void Anchor(string folder)
    {
        if (folder == _root) return;
        Anchor(Path.GetDirectoryName(folder)!);
        if (!Knows(folder)) KeepAll(folder);
    }

    /// <summary>The names in a folder are on the disk.</summary>
    private void Keep(string folder)
    {
        var (kept, entries) = (new DirectoryInfo(Kept(folder)), new DirectoryInfo(folder).GetFileSystemInfos());
        foreach (var gone in kept.GetFileSystemInfos().Where(old => !entries.Any(entry => entry.Name == old.Name && entry is DirectoryInfo == old is DirectoryInfo))) Remove(gone);
        foreach (var entry in entries)
        {
            var place = Path.Combine(kept.FullName, entry.Name);
            if (entry is DirectoryInfo)
            {
                if (!Knows(entry.FullName)) KeepAll(entry.FullName);
            }
            else if (!File.Exists(place) || Inode(place) != Inode(entry.FullName))
            {
                File.Delete(place);
                Link(entry.FullName, place);
            }
        }
    }

    /// <summary>Whether a folder is the one that is on the disk by this name.</summary>
    private bool Knows(string folder) => _folders.TryGetValue(folder, out var inode) && inode == Inode(folder) && Directory.Exists(Kept(folder));

    private void KeepAll(string folder)
    {
        var kept = new DirectoryInfo(Kept(folder));
        if (kept.Exists) kept.Delete(recursive: true);
        Link(new DirectoryInfo(folder), kept.FullName);
        foreach (var below in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).Append(folder)) _folders[below] = Inode(below);
    }

    private static void Remove(FileSystemInfo entry)
    {
        if (entry is DirectoryInfo folder) folder.Delete(recursive: true);
        else entry.Delete();
    }

    private static void Link(DirectoryInfo from, string to)
    {
        Directory.CreateDirectory(to);
        File.SetUnixFileMode(to, from.UnixFileMode);
        foreach (var entry in from.EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo folder) Link(folder, Path.Combine(to, entry.Name));
            else Link(entry.FullName, Path.Combine(to, entry.Name));
        }
    }

    private static void Link(string from, string to)
    {
        if (link(from, to) != 0) throw new IOException($"{from} cannot be linked to {to}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private string Kept(string path) => Path.Combine(_kept.FullName, Path.GetRelativePath(_root, path));

    private static IEnumerable<FileInfo> Files(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Where(file => file.LinkTarget is null);

    /// <summary>One that is empty need not be read: somebody may hold it as a lock.</summary>
    private static byte[] Hash(FileInfo file) => file.Length == 0 ? [] : SHA256.HashData(File.ReadAllBytes(file.FullName));

    private static ulong Inode(string path)
    {
        const int currentFolder = -100, noFollow = 0x100, inodeAt = 32; // statx(2): stx_ino
        const uint inodeWanted = 0x100;
        Span<byte> answer = stackalloc byte[256];
        return statx(currentFolder, path, noFollow, inodeWanted, answer) == 0 ? MemoryMarshal.Read<ulong>(answer[inodeAt..]) : throw new IOException($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, Span<byte> answer);
}
