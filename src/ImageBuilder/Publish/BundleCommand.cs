using System.CommandLine;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Build;

namespace Appliance.ImageBuilder.Publish;

/// <summary>The verb <c>appliance bundle</c>.</summary>
internal static class BundleCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var repository = new Argument<string>("repository") { Description = "Folder of the repository." };
        var channel = new Option<string>("--channel") { Description = "Channel of the release.", DefaultValueFactory = _ => "stable" };
        var version = new Option<string?>("--version") { Description = "Version to export (default: the newest)." };
        var output = new Option<string>("--output", "-o") { Description = "The file to write.", Required = true };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("bundle", """
            Exports a published version as one file that carries its signatures, for USB sticks and uploads.

            Examples:
              appliance bundle /srv/updates -o edge.bundle
              appliance bundle /srv/updates --channel beta --version 1.2 -o /media/stick/edge_1.2.bundle
            """)
        { repository, channel, version, output, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var path = result.GetValue(output)!;
            PublishedRelease release;
            using (var observer = BuildObservers.For(result.GetValue(json)))
            {
                var export = new OfflineExport(result.GetValue(repository)!, result.GetValue(channel)!, result.GetValue(version), TimeProvider.System);
                release = await new StageClock(observer).RunAsync("export", report => export.WriteAsync(path, report, cancellationToken));
            }
            var size = new FileInfo(path).Length;
            Console.WriteLine(result.GetValue(json)
                ? new JsonObject { ["event"] = "done", ["file"] = path, ["size"] = size, ["id"] = release.Offer.Id, ["version"] = release.Offer.Version }.ToJsonString()
                : $"\n{path}: {release.Offer.Id} {release.Offer.Version} for {release.Offer.Board}, {ByteSize.Format(size)}");
            return 0;
        });
        return command;
    }
}
