using System.Runtime.Versioning;
using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Publish;

/// <summary>
/// The folder of a repository as its publisher sees it. Files get their final name when they are whole and on the disk, and are
/// never written again, unless they are not what their name says any more; what is under way is in a staging folder that the next publication clears.
/// </summary>
/// <param name="path">The repository.</param>
/// <param name="beforeStep">Called before every change that readers could see; the crash tests stop there.</param>
/// <param name="staging">Name of the folder for work under way: each kind of publisher has its own.</param>
[SupportedOSPlatform("linux")]
internal sealed class RepositoryFolder(string path, Action<string>? beforeStep = null, string staging = ".publishing")
{
    /// <summary>The repository's folder.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>Folder for work under way, on the same file system.</summary>
    public string Staging => System.IO.Path.Combine(Path, staging);

    /// <summary>Removes what an interrupted publication left, and makes the staging folder.</summary>
    public void ResetStaging()
    {
        RemoveStaging();
        Directory.CreateDirectory(Staging);
    }

    /// <summary>Removes the staging folder.</summary>
    public void RemoveStaging()
    {
        if (Directory.Exists(Staging)) Directory.Delete(Staging, recursive: true);
    }

    /// <summary>Where a file of the repository is.</summary>
    public string Locate(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>Fetches an object that this folder lacks and another one has; null when this folder is all there is.</summary>
    public Func<ObjectReference, CancellationToken, Task>? Fetch { get; init; }

    /// <summary>Makes sure that an object is here, if it can be had.</summary>
    public async Task RequireAsync(ObjectReference reference, CancellationToken cancellationToken)
    {
        if (Fetch is not null && !await HasAsync(reference, cancellationToken)) await Fetch(reference, cancellationToken);
    }

    /// <summary>True when the object is there and whole.</summary>
    public async Task<bool> HasAsync(ObjectReference reference, CancellationToken cancellationToken)
    {
        if (new FileInfo(Locate(reference.Path)) is not { Exists: true } file || file.Length != reference.Size) return false;
        await using var stream = file.OpenRead();
        return await reference.IsContentOfAsync(stream, cancellationToken);
    }

    /// <summary>Moves a file of the staging folder among the objects, under the name its content gives it.</summary>
    public async Task<ObjectReference> PlaceAsync(string file, CancellationToken cancellationToken)
    {
        ObjectReference reference;
        await using (var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite))
        {
            reference = ObjectReference.For(Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)), stream.Length);
            if (await HasAsync(reference, cancellationToken)) return reference;
            stream.Flush(flushToDisk: true);
        }
        Place(file, reference.Path);
        return reference;
    }

    /// <summary>Moves a file of the staging folder, which is whole and on the disk, to its place.</summary>
    public void Place(string file, string relative)
    {
        var target = Locate(relative);
        File.SetUnixFileMode(file, DurableFile.Readable);
        Step(relative);
        MakeFolder(System.IO.Path.GetDirectoryName(target)!);
        File.Move(file, target, overwrite: true);
        DurableFile.SyncFolder(System.IO.Path.GetDirectoryName(target)!);
    }

    /// <summary>Writes a small file once; its path contains its hash.</summary>
    public void WriteOnce(string relative, ReadOnlySpan<byte> content)
    {
        var target = Locate(relative);
        if (File.Exists(target) && File.ReadAllBytes(target).AsSpan().SequenceEqual(content)) return;
        var folder = System.IO.Path.GetDirectoryName(target)!;
        Step(relative);
        MakeFolder(folder);
        DurableFile.Write(target, content, DurableFile.Readable);
    }

    /// <summary>Places bytes among the objects.</summary>
    public ObjectReference PlaceBytes(ReadOnlySpan<byte> content)
    {
        var reference = ObjectReference.For(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length);
        WriteOnce(reference.Path, content);
        return reference;
    }

    /// <summary>Deletes files below a folder of the repository that are not among those to keep; returns how many bytes they had.</summary>
    public long Sweep(string folder, IReadOnlySet<string> keep)
    {
        var root = Locate(folder);
        if (!Directory.Exists(root)) return 0;
        long freed = 0;
        foreach (var file in new DirectoryInfo(root).EnumerateFiles("*", SearchOption.AllDirectories).ToList())
        {
            var relative = System.IO.Path.GetRelativePath(Path, file.FullName);
            if (keep.Contains(relative)) continue;
            Step($"delete {relative}");
            freed += file.Length;
            file.Delete();
        }
        return freed;
    }

    private static void MakeFolder(string folder)
    {
        if (Directory.Exists(folder)) return;
        var parent = System.IO.Path.GetDirectoryName(folder)!;
        MakeFolder(parent);
        Directory.CreateDirectory(folder);
        DurableFile.SyncFolder(parent);
    }

    private void Step(string what) => beforeStep?.Invoke(what);
}
