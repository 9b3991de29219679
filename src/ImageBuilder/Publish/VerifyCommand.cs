using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Build;

namespace Appliance.ImageBuilder.Publish;

/// <summary>The verb <c>appliance verify</c>.</summary>
internal static class VerifyCommand
{
    private const int Failure = 1;

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var subject = new Argument<string>("repository-or-bundle") { Description = "Folder of a repository, or a bundle." };
        var root = new Option<string?>("--root") { Description = "The root.json to trust; without it the repository's own first root is believed." };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("verify", """
            Checks a repository or a bundle whole: signatures, the hash of every object, every frame, patch and chunk, and the root hash.

            Examples:
              appliance verify /srv/updates --root keys/root.json
              appliance verify edge.bundle --root keys/root.json
              appliance verify out/edge_1.1_amd64/edge_1.1_amd64.bundle --json
            """)
        { subject, root, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var path = result.GetValue(subject)!;
            if (!Path.Exists(path)) throw new UserError($"There is no {path}.", "Name a repository's folder or a bundle.");
            CheckReport report;
            using (var observer = BuildObservers.For(result.GetValue(json)))
            {
                var check = new RepositoryCheck(result.GetValue(root), TimeProvider.System, observer);
                report = Directory.Exists(path) ? await check.CheckRepositoryAsync(path, cancellationToken) : await check.CheckBundleAsync(path, cancellationToken);
                if (result.GetValue(root) is null && report.Channels.Count > 0) observer.Warning("No --root was given: the signatures are right, but whether they are those of the publisher you mean is not known.");
            }
            if (result.GetValue(json)) ReportJson(report);
            else ReportText(path, report);
            return report.Faults.Count == 0 ? 0 : Failure;
        });
        return command;
    }

    private static void ReportText(string path, CheckReport report)
    {
        Console.WriteLine();
        foreach (var fault in report.Faults) Console.Error.WriteLine($"fault: {fault}");
        Console.WriteLine(report.Faults.Count > 0
            ? $"{path} has {report.Faults.Count} faults; devices would refuse what is damaged. Publish the version's bundle again with the options of the first time, or restore what is damaged from a backup or mirror."
            : $"{path} is sound: {string.Join(", ", report.Targets)}; {report.Objects} objects of {ByteSize.Format(report.Bytes)}.");
    }

    private static void ReportJson(CheckReport report) => Console.WriteLine(new JsonObject
    {
        ["event"] = "done",
        ["sound"] = report.Faults.Count == 0,
        ["channels"] = new JsonArray([.. report.Channels.Select(channel => JsonValue.Create(channel))]),
        ["releases"] = new JsonArray([.. report.Targets.Select(target => JsonValue.Create(target))]),
        ["objects"] = report.Objects,
        ["bytes"] = report.Bytes,
        ["faults"] = new JsonArray([.. report.Faults.Select(fault => JsonValue.Create(fault))]),
    }.ToJsonString());
}
