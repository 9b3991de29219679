using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Disk;
using Appliance.ImageBuilder.Packages;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Tools;
using Appliance.ImageBuilder.Workloads;

namespace Appliance.ImageBuilder.Build;

/// <summary>
/// The results of a build, in a folder named <c>ID_VERSION_ARCH</c>. They are written beside it and take its place when all
/// are whole; <c>build.json</c> remembers what they were made of, so that an unchanged build has nothing to do.
/// </summary>
internal sealed class OutputFolder(ImageDefinition definition, BuildOptions options)
{
    private const string Partial = ".partial";

    /// <summary>What somebody finds who puts the card into a computer; that may be one with Windows.</summary>
    private static readonly string ConfigReadme = string.Join("\r\n",
        "Put a file provision.yaml here, and this machine takes it at its next start and erases it.",
        "Where it cannot be used, provision-error.txt says why.",
        "",
        "hostname: edge-7",
        "timeZone: Europe/Berlin",
        "network:",
        "  - interface: en*",
        "    addresses: [192.0.2.7/24]",
        "    gateway: 192.0.2.1",
        "    dns: [192.0.2.53]",
        "wifi:",
        "  - ssid: workshop",
        "    passphrase: a long passphrase",
        "sshKeys:",
        "  - name: admin",
        "    sshKeys: [ssh-ed25519 AAAA... you@example]",
        "proxy: { url: http://proxy.example.net:3128 }",
        "fleet: { server: https://fleet.example.net:8443, enrolmentToken: TOKEN }",
        "k3s: { role: agent, server: https://192.0.2.1:6443, token: TOKEN }",
        "setupCode: 7K3M-Q9VX",
        "");

    /// <summary>File name of everything that carries the image's name.</summary>
    public string Name { get; } = $"{definition.Id}_{definition.Version}_{definition.Board.Architecture}";

    /// <summary>The folder's path.</summary>
    public string Path => System.IO.Path.Combine(options.OutputFolder, Name);

    /// <summary>True when the folder holds exactly what these parts make, untouched since it was written.</summary>
    public bool IsUpToDate(string identity)
    {
        try
        {
            var record = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(Path, "build.json")));
            if ((string?)record?["identity"] != identity) return false;
            return record["outputs"]!.AsObject().All(output =>
            {
                var file = new FileInfo(System.IO.Path.Combine(Path, output.Key));
                return file.Exists && file.Length == (long)output.Value!["size"]! && file.LastWriteTimeUtc.Ticks == (long)output.Value["modified"]!;
            });
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidOperationException or NullReferenceException)
        {
            return false;
        }
    }

    /// <summary>Assembles the disk image, its map and compressed form, the bundle, the SBOM and <c>build.json</c>.</summary>
    public async Task WriteAsync(string identity, ImageParts parts, WorkloadChoice workloads, IReadOnlyList<DebianPackage> packages, StageRunner stages, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var partial = Path + Partial;
        await Sandbox.DeleteAsync(partial);
        Directory.CreateDirectory(partial);
        try
        {
            var packed = PackAsync(partial, identity, parts, stages, observer, cancellationToken);
            var disk = stages.MeasureAsync("disk", identity, false, () => WriteDiskAsync(partial, parts, observer, cancellationToken));
            await Task.WhenAll(packed, disk);
            var map = stages.MeasureAsync("bmap", identity, false, () => Task.Run(() => BlockMap.Create(Disk(partial)).Write(Disk(partial) + ".bmap"), cancellationToken));
            var payloads = await packed;
            var bundle = stages.MeasureAsync("bundle", identity, false, () => BundleWriter.WriteAsync(Header(parts), payloads, System.IO.Path.Combine(partial, $"{Name}.bundle"), cancellationToken));
            var compressed = stages.MeasureAsync("compress", identity, false, () => CompressedDisk.WriteAsync(Disk(partial), parts.Layout, payloads[0], Used(parts), Disk(partial) + ".zst", cancellationToken));
            await Task.WhenAll(map, bundle, compressed);
            foreach (var payload in payloads) File.Delete(payload.Path);
            await File.WriteAllTextAsync(System.IO.Path.Combine(partial, "sbom.cdx.json"),
                SoftwareBill.Write(definition, packages, workloads.Components.Select(c => c.Pin).ToList(), parts.Supervisor.File(SupervisorPublication.BinaryName)), cancellationToken);
            await WriteRecordAsync(partial, identity, parts, workloads, packages, stages, cancellationToken);
            Replace(Path, partial);
            DurableFile.SyncFolder(options.OutputFolder);
        }
        catch
        {
            await Sandbox.DeleteAsync(partial);
            throw;
        }
    }

    /// <summary>Puts results in the place of others, which stay until that has worked.</summary>
    /// <param name="target">Where they are to be.</param>
    /// <param name="partial">The new ones, whole.</param>
    /// <exception cref="UserError">The old ones cannot be moved: somebody has one open.</exception>
    public static void Replace(string target, string partial)
    {
        var old = $"{target}.old";
        try
        {
            if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
            if (Directory.Exists(target)) Directory.Move(target, old);
            Directory.Move(partial, target);
            if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(old) && !Directory.Exists(target)) Directory.Move(old, target);
            throw new UserError($"The results in {target} cannot be replaced: {e.Message}", "Close what has one of them open, and build again: nothing is built twice.", e);
        }
    }

    private async Task WriteDiskAsync(string folder, ImageParts parts, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var layout = parts.Layout;
        var path = Disk(folder);
        await using (var image = new FileStream(path, FileMode.CreateNew, FileAccess.Write)) image.SetLength(layout.Size);
        var table = System.IO.Path.Combine(folder, "table");
        await File.WriteAllTextAsync(table, layout.ToSfdiskScript(), cancellationToken);
        var readme = System.IO.Path.Combine(folder, "readme");
        await File.WriteAllTextAsync(readme, ConfigReadme, cancellationToken);
        await RunToolAsync(parts, folder, "partitions.sh", new()
        {
            ["TABLE"] = table,
            ["DATA_SIZE"] = layout.Data.Size.ToString(),
            ["DATA_UUID"] = layout.Data.Id.ToString(),
            ["CONFIG_SIZE"] = layout.Config.Size.ToString(),
            ["CONFIG_ID"] = layout.Config.Id.ToString()[..8],
            ["README"] = readme,
        }, cancellationToken);

        var (config, data) = (System.IO.Path.Combine(folder, "config.img"), System.IO.Path.Combine(folder, "data.img"));
        (string File, DiskPartition Place)[] contents = [.. parts.BootPartitions.Zip(layout.Boot), (parts.RootImage, layout.RootA), (parts.VerityTree, layout.VerityA), (config, layout.Config), (data, layout.Data)];
        var total = contents.Sum(content => new FileInfo(content.File).Length);
        long done = 0;
        using var target = File.OpenHandle(path, FileMode.Open, FileAccess.Write, options: FileOptions.Asynchronous);
        foreach (var (file, place) in contents)
        {
            if (new FileInfo(file).Length > place.Size) throw new InvalidDataException($"{file} does not fit into partition {place.Label} of {place.Size} bytes");
            var verified = place == layout.RootA || place == layout.VerityA;
            await SparseCopy.CopyAsync(file, target, place.Offset, verified, bytes => observer.Progress("disk", done += bytes, total), cancellationToken);
        }
        foreach (var part in new[] { table, readme, config, data }) File.Delete(part);
    }

    private static async Task<IReadOnlyList<PackedPayload>> PackAsync(string folder, string identity, ImageParts parts, StageRunner stages, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var packed = new List<PackedPayload>();
        await stages.MeasureAsync("pack", identity, false, async () =>
        {
            BundlePayloadFile[] payloads = [new("root.erofs", BundlePayloadKind.Root, parts.RootImage), new(System.IO.Path.GetFileName(parts.Boot), BundlePayloadKind.Uki, parts.Boot)];
            foreach (var payload in payloads)
                packed.Add(await BundleWriter.PackAsync(payload, System.IO.Path.Combine(folder, $"{payload.Name}.packed"), (done, total) => observer.Progress("pack", done, total), cancellationToken));
        });
        return packed;
    }

    private BundleHeader Header(ImageParts parts) => new()
    {
        Id = definition.Id,
        Version = definition.Version,
        Board = definition.Board.Name,
        Architecture = definition.Board.Architecture,
        RootHash = parts.RootHash,
        Salt = parts.Salt,
        SourceDate = definition.SourceDate,
    };

    /// <summary>How much of each partition is filled; the rest of it, and partitions not named here, are zeros.</summary>
    private static Dictionary<DiskPartition, long> Used(ImageParts parts) => new(parts.Layout.Boot.Select(partition => KeyValuePair.Create(partition, partition.Size)))
    {
        [parts.Layout.RootA] = new FileInfo(parts.RootImage).Length,
        [parts.Layout.VerityA] = new FileInfo(parts.VerityTree).Length,
        [parts.Layout.Config] = parts.Layout.Config.Size,
        [parts.Layout.Data] = parts.Layout.Data.Size,
    };

    private static string Disk(string folder) => System.IO.Path.Combine(folder, "disk.img");

    private async Task RunToolAsync(ImageParts parts, string folder, string script, Dictionary<string, string?> variables, CancellationToken cancellationToken)
    {
        variables["DISK_FOLDER"] = folder;
        variables["SOURCE_DATE_EPOCH"] = definition.SourceDate.ToUnixTimeSeconds().ToString();
        var work = System.IO.Path.Combine(options.CacheFolder, $"work-{System.IO.Path.GetFileNameWithoutExtension(script)}{StageCache.Partial}");
        try
        {
            await new Sandbox(parts.Tools.File("tree"), work).RunAsync(script, variables, null, cancellationToken);
        }
        catch (ToolFailure failure)
        {
            throw StageDiagnosis.Explain(System.IO.Path.GetFileNameWithoutExtension(script), failure, definition);
        }
        finally
        {
            await Sandbox.DeleteAsync(work);
        }
    }

    private async Task WriteRecordAsync(string folder, string identity, ImageParts parts, WorkloadChoice workloads, IReadOnlyList<DebianPackage> packages, StageRunner stages, CancellationToken cancellationToken)
    {
        var outputs = new JsonObject();
        foreach (var file in new DirectoryInfo(folder).GetFiles().OrderBy(file => file.Name, StringComparer.Ordinal))
        {
            var output = new JsonObject { ["size"] = file.Length, ["modified"] = file.LastWriteTimeUtc.Ticks };
            // The raw disk is mostly holes; its block map carries a checksum of every range that is not.
            if (file.Name != "disk.img")
            {
                await using var stream = file.OpenRead();
                output["sha256"] = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
            }
            outputs[file.Name] = output;
        }
        var times = new JsonObject();
        foreach (var (name, record) in stages.Records.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            times[name] = new JsonObject { ["key"] = record.Key, ["seconds"] = Math.Round(record.Duration.TotalSeconds, 2), ["cached"] = record.Cached };
        var components = new JsonArray();
        foreach (var component in workloads.Components)
            components.Add(new JsonObject { ["name"] = component.Pin.Name, ["version"] = component.Pin.Version, ["sha256"] = component.Pin.Sha256 });
        var json = new JsonObject
        {
            ["id"] = definition.Id,
            ["version"] = definition.Version,
            ["board"] = definition.Board.Name,
            ["architecture"] = definition.Board.Architecture,
            ["suite"] = definition.Suite,
            ["sourceDate"] = definition.SourceDate,
            ["rootHash"] = parts.RootHash,
            ["kernel"] = parts.KernelVersion,
            ["workloads"] = new JsonObject { ["engine"] = workloads.Engine?.Name, ["wanted"] = definition.Workloads.Engine?.Name, ["fallbackReason"] = workloads.FallbackReason, ["included"] = new JsonArray([.. definition.Workloads.Include.Select(WorkloadDefinition.Read).Select(workload => (JsonNode)new JsonObject { ["id"] = workload.Id, ["version"] = workload.Version })]) },
            ["components"] = components,
            ["packages"] = packages.Count,
            ["sizes"] = new JsonObject
            {
                ["root"] = new FileInfo(parts.RootImage).Length,
                ["verity"] = new FileInfo(parts.VerityTree).Length,
                ["uki"] = new FileInfo(parts.Boot).Length,
                ["disk"] = parts.Layout.Size,
            },
            ["outputs"] = outputs,
            ["stages"] = times,
            ["identity"] = identity,
        };
        await File.WriteAllTextAsync(System.IO.Path.Combine(folder, "build.json"), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n", cancellationToken);
    }
}
