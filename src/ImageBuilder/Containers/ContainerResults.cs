using System.Diagnostics;
using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Disk;
using Appliance.ImageBuilder.Packages;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Workloads;
using Docker.DotNet;
using Docker.DotNet.Models;

namespace Appliance.ImageBuilder.Containers;

/// <summary>
/// Brings a build's results out of its container: into a folder beside their place, each checked against <c>build.json</c>, then
/// renamed. <c>disk.img</c> is not brought but unpacked from <c>disk.img.zst</c>, for most of it is holes.
/// </summary>
/// <param name="engine">The engine.</param>
/// <param name="container">The container, which has ended.</param>
/// <param name="observer">Sees how it gets on.</param>
internal sealed class ContainerResults(ContainerEngine engine, string container, IBuildObserver observer)
{
    /// <summary>The stage's name in what is shown.</summary>
    public const string Stage = "results";

    private const string RecordName = "build.json", DiskName = "disk.img", Partial = ".partial";

    /// <summary>Brings them.</summary>
    /// <param name="source">Their folder in the container.</param>
    /// <param name="target">Their folder here.</param>
    /// <param name="cancellationToken">Ends the work, and nothing of it stays.</param>
    /// <returns>The record, and whether everything was here already.</returns>
    public async Task<(JsonNode Record, bool UpToDate)> BringAsync(string source, string target, CancellationToken cancellationToken)
    {
        var bytes = await ReadAsync($"{source}/{RecordName}", cancellationToken) ?? throw new InvalidDataException($"the build has left no {source}/{RecordName}");
        var record = JsonNode.Parse(bytes)!;
        var outputs = record["outputs"]!.AsObject();
        // What comes out of a container is not believed.
        if (outputs.FirstOrDefault(output => Path.GetFileName(output.Key) != output.Key) is { Key: { } stray }) throw new InvalidDataException($"{source}/{RecordName} names {stray}, which is no file beside it");
        if (IsHere(target, bytes, outputs)) return (record, true);

        var clock = Stopwatch.StartNew();
        observer.Started(Stage);
        var partial = target + Partial;
        if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        try
        {
            var total = outputs.Sum(output => (long)output.Value!["size"]!);
            long done = 0;
            void Progress(long more) => observer.Progress(Stage, done += more, total);
            foreach (var (name, output) in outputs.Where(output => output.Key != DiskName))
                await BringFileAsync($"{source}/{name}", Path.Combine(partial, name), (string)output!["sha256"]!, Progress, cancellationToken);
            if (outputs[DiskName] is { } disk) await UnpackDiskAsync(Path.Combine(partial, DiskName), (long)disk["size"]!, Progress, cancellationToken);
            await File.WriteAllBytesAsync(Path.Combine(partial, RecordName), bytes, cancellationToken);
            foreach (var (name, output) in outputs) File.SetLastWriteTimeUtc(Path.Combine(partial, name), Modified(output!));
            OutputFolder.Replace(target, partial);
        }
        catch
        {
            Directory.Delete(partial, recursive: true);
            observer.Failed(Stage, clock.Elapsed);
            throw;
        }
        observer.Finished(Stage, clock.Elapsed, cached: false);
        return (record, false);
    }

    /// <summary>Brings the locks that the build wrote beside the definition and the workloads.</summary>
    public async Task BringLocksAsync(BuildContext context, BuildOptions build, CancellationToken cancellationToken)
    {
        if (build.Locked) return;
        string[] locks = [PackageLock.PathFor(build.DefinitionPath), .. context.Definition.Workloads.Include.Select(folder => ImageLock.Read(folder).Path)];
        foreach (var path in locks)
        {
            if (await ReadAsync(context.Folders.Find(path)!, cancellationToken) is not { } bytes) continue;
            if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(bytes)) continue;
            await File.WriteAllBytesAsync(path + Partial, bytes, cancellationToken);
            File.Move(path + Partial, path, overwrite: true);
        }
    }

    private static bool IsHere(string folder, byte[] record, JsonObject outputs)
    {
        var own = Path.Combine(folder, RecordName);
        return File.Exists(own) && File.ReadAllBytes(own).AsSpan().SequenceEqual(record)
            && outputs.All(output => new FileInfo(Path.Combine(folder, output.Key)) is { Exists: true } file && file.Length == (long)output.Value!["size"]! && file.LastWriteTimeUtc == Modified(output.Value));
    }

    private static DateTime Modified(JsonNode output) => new((long)output["modified"]!, DateTimeKind.Utc);

    private async Task BringFileAsync(string source, string target, string sha256, Action<long> onBytes, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await OpenAsync(source, async content =>
        {
            await using var file = new FileStream(target, FileMode.CreateNew, FileAccess.Write);
            var buffer = new byte[1 << 20];
            int read;
            while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
            {
                hash.AppendData(buffer, 0, read);
                await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                onBytes(read);
            }
        }, cancellationToken);
        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != sha256) throw new InvalidDataException($"{source} was damaged on its way out of the container");
    }

    private static async Task UnpackDiskAsync(string target, long size, Action<long> onBytes, CancellationToken cancellationToken)
    {
        await using var packed = new ZstdSharp.DecompressionStream(File.OpenRead(target + ".zst"), leaveOpen: false);
        using var disk = File.OpenHandle(target, FileMode.CreateNew, FileAccess.Write, options: FileOptions.Asynchronous);
        await SparseCopy.CopyAsync(packed, disk, onBytes, cancellationToken);
        if (RandomAccess.GetLength(disk) != size) throw new InvalidDataException($"{target} has not the size that the build says");
    }

    /// <summary>A small file, or null when it is not there.</summary>
    private async Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var copy = new MemoryStream();
        return await OpenAsync(path, content => content.CopyToAsync(copy, cancellationToken), cancellationToken) ? copy.ToArray() : null;
    }

    private Task<bool> OpenAsync(string path, Func<Stream, Task> read, CancellationToken cancellationToken) => engine.AskAsync($"bringing {path}", async client =>
    {
        ContainerArchiveResponse archive;
        try
        {
            archive = await client.Containers.GetArchiveFromContainerAsync(container, new ContainerPathStatParameters { Path = path }, false, cancellationToken);
        }
        catch (DockerApiException e) when (e.StatusCode == System.Net.HttpStatusCode.NotFound)
        {
            return false;
        }
        await using var stream = new CountedStream(archive.Stream ?? Stream.Null, _ => { });
        await using var reader = new TarReader(stream);
        var entry = await reader.GetNextEntryAsync(copyData: false, cancellationToken) ?? throw new InvalidDataException($"the engine sent nothing for {path}");
        await read(entry.DataStream ?? Stream.Null);
        return true;
    });
}
