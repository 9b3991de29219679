using System.Runtime.InteropServices;
using System.Text;
using Appliance.Core;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// The operations on files of a boot partition, each of them on the disk when it returns; tests end them half-way, as a power
/// cut does. FAT renames in two steps, the new name first: between them both names stand for one chain of clusters.
/// </summary>
/// <param name="mounts">The boot partitions.</param>
internal partial class EspFiles(params IReadOnlyList<EspMount> mounts)
{
    private const nuint FirstBlock = 1; // FIBMAP
    private const string SetAsideEnding = ".aside";

    /// <summary>Writes out a file's content.</summary>
    public virtual void Sync(string path)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        RandomAccess.FlushToDisk(handle);
    }

    /// <summary>
    /// Replaces a file of one sector. Here FAT's rename changes one entry of the folder, and a cut leaves the old file or the new
    /// one, and at worst the temporary name beside it, which stays: deleting it could free the new one's cluster.
    /// </summary>
    public virtual void Write(string path, string content)
    {
        const int sector = 512;
        var bytes = Encoding.ASCII.GetBytes(content);
        if (bytes.Length >= sector) throw new ArgumentException($"{path} would be {bytes.Length} bytes", nameof(content));
        MountOf(path).InOrder(() => DurableFile.Write(path, bytes, DurableFile.Readable));
    }

    /// <summary>Gives a file another name, which nothing has.</summary>
    public virtual void Rename(string from, string to)
    {
        MountOf(to).InOrder(() => File.Move(from, to));
        DurableFile.SyncFolder(Path.GetDirectoryName(to)!);
    }

    /// <summary>Deletes a file, should it be there, whose clusters are its own.</summary>
    public virtual void Delete(string path) => DurableFile.Delete(path);

    /// <summary>
    /// Gets a second name of a file out of the way. Deleting it would free the clusters of the first; nothing boots or touches the
    /// name it has from now on, and it takes no space.
    /// </summary>
    public void SetAside(string path)
    {
        for (var number = 1; ; number++)
        {
            var free = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{number}{SetAsideEnding}");
            if (File.Exists(free)) continue;
            Rename(path, free);
            return;
        }
    }

    /// <summary>True unless two files certainly begin in places of their own.</summary>
    public virtual bool MayShareClusters(string one, string other) => FindStart(one) is not { } start || FindStart(other) is not { } second || start == second;

    private EspMount MountOf(string path) => mounts.First(mount => path.StartsWith(mount.Folder + Path.DirectorySeparatorChar, StringComparison.Ordinal));

    /// <summary>The block a file begins at; null when the file system does not tell.</summary>
    private static int? FindStart(string path)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var block = 0;
        return ioctl(handle, FirstBlock, ref block) == 0 && block != 0 ? block : null;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle handle, nuint request, ref int block);
}
