using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Build;

namespace Appliance.ImageBuilder.Publish;

/// <summary>The verb <c>appliance diff</c>.</summary>
internal static class DiffCommand
{
    private const int MostFilesShown = 40;

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        const string what = "A bundle, the folder of a build, a root image, or REPOSITORY@[CHANNEL/]VERSION.";
        var old = new Argument<string>("old") { Description = what };
        var fresh = new Argument<string>("new") { Description = what };
        var id = new Option<string?>("--id") { Description = "Of a repository: id of what is compared (default: its images)." };
        var noCost = new Option<bool>("--no-cost") { Description = "Do not work out what an update would download; that takes minutes." };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("diff", """
            Shows what differs between two versions: packages and files, of workloads images and objects, and what an update would
            download by patch, by chunks and whole.

            Examples:
              appliance diff out/edge_1.0_amd64 out/edge_1.1_amd64
              appliance diff /srv/updates@stable/1.0 out/edge_1.1_amd64/edge_1.1_amd64.bundle --no-cost
              appliance diff out/shop-1.4.1.bundle out/shop-1.4.2.bundle
              appliance diff old.erofs new.erofs --json
            """)
        { old, fresh, id, noCost, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var work = Directory.CreateTempSubdirectory("appliance-diff");
            try
            {
                JsonObject report;
                using (var observer = BuildObservers.For(result.GetValue(json)))
                    report = await CompareAsync(result.GetValue(old)!, result.GetValue(fresh)!, result.GetValue(id), !result.GetValue(noCost), work.FullName, TimeProvider.System, new StageClock(observer), cancellationToken);
                if (result.GetValue(json)) Console.WriteLine(report.ToJsonString());
                else Print(report);
                return 0;
            }
            finally
            {
                work.Delete(recursive: true);
            }
        });
        return command;
    }

    /// <summary>Compares, and gives everything that was found as one document.</summary>
    internal static async Task<JsonObject> CompareAsync(string oldText, string newText, string? id, bool cost, string work, TimeProvider time, StageClock stages, CancellationToken cancellationToken)
    {
        var old = await stages.RunAsync("read old", report => DiffSubject.OpenAsync(oldText, id, Path.Combine(work, "old"), time, report, cancellationToken));
        var fresh = await stages.RunAsync("read new", report => DiffSubject.OpenAsync(newText, id, Path.Combine(work, "new"), time, report, cancellationToken));
        var report = new JsonObject { ["event"] = "done", ["old"] = old.Name, ["new"] = fresh.Name };
        if (old.Bill is { } oldBill && fresh.Bill is { } newBill)
            report["packages"] = Array(ImageDiff.Packages(oldBill, newBill));
        if (old.Release is { } oldRelease && fresh.Release is { } newRelease)
        {
            report["images"] = Array(ImageDiff.Images(oldRelease, newRelease));
            report["objects"] = new JsonArray([.. ImageDiff.Objects(oldRelease, newRelease).Select(change => (JsonNode)new JsonObject { ["object"] = change.Object, ["old"] = change.InOld, ["new"] = change.InNew })]);
        }
        foreach (var (name, file) in fresh.Files.Where(entry => old.Files.ContainsKey(entry.Key)))
        {
            var files = await stages.RunAsync($"compare {name}", _ => Task.Run(() => ImageDiff.Files(old.Files[name], file, cancellationToken), cancellationToken));
            if (files is not null) report["files"] = new JsonArray([.. files.Select(change => (JsonNode)new JsonObject { ["path"] = change.Name, ["old"] = change.Old, ["new"] = change.New })]);
        }
        if (cost) report["cost"] = await CostAsync(old, fresh, work, stages, cancellationToken);
        return report;
    }

    private static JsonArray Array(IReadOnlyList<ImageDiff.VersionChange> changes) =>
        new([.. changes.Select(change => (JsonNode)new JsonObject { ["name"] = change.Name, ["old"] = change.Old, ["new"] = change.New })]);

    private static async Task<JsonArray> CostAsync(DiffSubject old, DiffSubject fresh, string work, StageClock stages, CancellationToken cancellationToken)
    {
        var costs = new JsonArray();
        foreach (var (name, file) in fresh.Files)
        {
            var cost = await stages.RunAsync($"cost {name}", report => UpdateCost.WorkOutAsync(name, old.Files.GetValueOrDefault(name), file, fresh.Packed.TryGetValue(name, out var packed) ? packed : null, work, report, cancellationToken));
            costs.Add((JsonNode)new JsonObject { ["payload"] = name, ["patch"] = cost.Patch, ["chunks"] = cost.Chunks, ["full"] = cost.Full });
        }
        return costs;
    }

    private static void Print(JsonObject report)
    {
        Console.WriteLine($"\n{report["old"]} → {report["new"]}");
        if (report["objects"] is JsonArray objects) PrintWorkload(report["images"]!.AsArray(), objects);
        else PrintImage(report);
        if (report["cost"] is not JsonArray costs) return;
        Console.WriteLine("\nAn update downloads");
        foreach (var cost in costs) Console.WriteLine($"  {cost!["payload"],-16} patch {Size(cost["patch"])}, chunks {Size(cost["chunks"])}, whole {Size(cost["full"])}");
    }

    private static void PrintWorkload(JsonArray images, JsonArray objects)
    {
        PrintVersions("images", images);
        Console.WriteLine($"\n{objects.Count} objects differ");
        foreach (var change in objects) Console.WriteLine($"  {((bool)change!["old"]! ? (bool)change["new"]! ? "changed" : "removed" : "added"),-8} {change["object"]}");
    }

    private static void PrintVersions(string what, JsonArray changes)
    {
        Console.WriteLine($"\n{changes.Count} {what} differ");
        foreach (var change in changes) Console.WriteLine($"  {change!["name"],-32} {change["old"] ?? "—"} → {change["new"] ?? "—"}");
    }

    private static void PrintImage(JsonObject report)
    {
        if (report["packages"] is JsonArray packages) PrintVersions("packages", packages);
        else Console.WriteLine("\nNo bill of materials (sbom.cdx.json) lies beside both of them, so packages are not compared.");
        if (report["files"] is JsonArray files)
        {
            Console.WriteLine($"\n{files.Count} files differ");
            foreach (var file in files.Take(MostFilesShown)) Console.WriteLine($"  {Size(file!["old"]),10} → {Size(file["new"]),-10} {file["path"]}");
            if (files.Count > MostFilesShown) Console.WriteLine($"  and {files.Count - MostFilesShown} more; --json lists all");
        }
        else Console.WriteLine("\nThe root file systems are not uncompressed EROFS, so files are not compared.");
    }

    private static string Size(JsonNode? bytes) => bytes is null ? "—" : ByteSize.Format((long)bytes);
}
