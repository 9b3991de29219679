using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Workloads;

namespace Appliance.ImageBuilder.Publish;

/// <summary>The verb <c>appliance bundle</c>: the export of a published version, or a workload's bundle.</summary>
internal static class BundleCommand
{
    private const string Example = "Examples: appliance bundle /srv/updates -o edge.bundle, or: appliance bundle --workload shop -o shop.bundle";

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var repository = new Argument<string?>("repository") { Description = "Folder of the repository to export from.", Arity = ArgumentArity.ZeroOrOne };
        var channel = new Option<string>("--channel") { Description = "Channel of the release.", DefaultValueFactory = _ => "stable" };
        var id = new Option<string?>("--id") { Description = "Id of what is exported (default: the channel's image)." };
        var version = new Option<string?>("--version") { Description = "Version to export (default: the newest)." };
        var workload = new Option<string?>("--workload") { Description = "Folder of a workload (its workload.yaml and manifests) to pack into a bundle for `appliance publish`." };
        var locked = new Option<bool>("--locked") { Description = "Of a workload: refuse images that differ from workload.lock.yaml." };
        var refresh = new Option<bool>("--refresh") { Description = "Of a workload: ask the registries what its tags stand for now." };
        var cache = new Option<string>("--cache") { Description = "Of a workload: folder for fetched images.", DefaultValueFactory = _ => Path.Combine("out", "cache") };
        var output = new Option<string>("--output", "-o") { Description = "The file to write.", Required = true };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("bundle", """
            Exports a published version as one file that carries its signatures, for USB sticks and uploads; or packs a workload
            (Kubernetes manifests and the container images they use) into a bundle that `appliance publish` signs.

            Examples:
              appliance bundle /srv/updates -o edge.bundle
              appliance bundle /srv/updates --channel beta --version 1.2 -o /media/stick/edge_1.2.bundle
              appliance bundle --workload shop -o out/shop.bundle
            """)
        { repository, channel, id, version, workload, locked, refresh, cache, output, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var (path, asJson) = (result.GetValue(output)!, result.GetValue(json));
            var (from, folder) = (result.GetValue(repository), result.GetValue(workload));
            if (from is null == folder is null) throw new UserError("Name a repository to export from, or the folder of a workload with --workload, and not both.", Example);
            if (result.GetValue(locked) && result.GetValue(refresh)) throw new UserError("--locked and --refresh contradict each other.", "Use one of them.");
            JsonObject done;
            using (var observer = BuildObservers.For(asJson))
                done = from is not null
                    ? await ExportAsync(new OfflineExport(from, result.GetValue(channel)!, result.GetValue(version), TimeProvider.System, result.GetValue(id)), path, observer, cancellationToken)
                    : await BuildAsync(new WorkloadBuildOptions { Folder = folder!, CacheFolder = Path.GetFullPath(result.GetValue(cache)!), Locked = result.GetValue(locked), Refresh = result.GetValue(refresh) }, path, observer, cancellationToken);
            done["event"] = "done";
            done["file"] = path;
            done["size"] = new FileInfo(path).Length;
            Console.WriteLine(asJson ? done.ToJsonString() : Words(done));
            return 0;
        });
        return command;
    }

    private static async Task<JsonObject> ExportAsync(OfflineExport export, string path, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var release = await new StageClock(observer).RunAsync("export", report => export.WriteAsync(path, report, cancellationToken));
        return new JsonObject { ["id"] = release.Offer.Id, ["version"] = release.Offer.Version, ["board"] = release.Offer.Board };
    }

    private static async Task<JsonObject> BuildAsync(WorkloadBuildOptions options, string output, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var (release, size) = await new WorkloadBuild(options, observer).WriteBundleAsync(output, cancellationToken);
        var images = new JsonArray();
        foreach (var image in release.Images) images.Add((JsonNode)new JsonObject { ["name"] = image.Reference, ["digest"] = image.Source, ["pinned"] = image.Pinned });
        return new JsonObject { ["id"] = release.Id, ["version"] = release.Version, ["objects"] = release.Objects.Count, ["images"] = images, ["plain"] = size };
    }

    private static string Words(JsonObject done)
    {
        var size = ByteSize.Format((long)done["size"]!);
        if (done["images"] is not JsonArray images) return $"\n{done["file"]}: {done["id"]} {done["version"]} for {done["board"]}, {size}";
        var lines = images.Select(image => $"\n  {image!["name"]}  {image["digest"]}");
        return $"\n{done["file"]}: workload {done["id"]} {done["version"]}, {done["objects"]} objects, {images.Count} images, {size} ({ByteSize.Format((long)done["plain"]!)} unpacked){string.Concat(lines)}\n\nNext:\n  out/bin/appliance publish {done["file"]} --repo REPOSITORY --keys KEYS";
    }
}
