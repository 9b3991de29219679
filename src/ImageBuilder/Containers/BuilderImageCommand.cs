using System.CommandLine;
using Appliance.Core;
using Appliance.ImageBuilder.Build;

namespace Appliance.ImageBuilder.Containers;

/// <summary>The verb <c>appliance builder-image</c>.</summary>
internal static class BuilderImageCommand
{
    /// <summary>Debian's release in a builder image.</summary>
    public const string DefaultSuite = "trixie";

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The file to write: .tar, or .tar.gz for a smaller one." };
        var suite = new Option<string>("--suite") { Description = $"Debian's release in it (default: {DefaultSuite}).", DefaultValueFactory = _ => DefaultSuite };
        var mirror = new Option<string[]>("--mirror") { Description = "Debian archive to use instead of mmdebstrap's default: a URL or an apt source line. May be repeated." };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };
        var command = new Command("builder-image", """
            Makes the container image that `appliance build --container` builds in, from Debian's packages and this machine's
            .NET SDK, for machines that are not Debian. Needs mmdebstrap.

            Examples:
              appliance builder-image builder.tar.gz
              appliance build image/appliance.yaml --container --builder builder.tar.gz
            """)
        { file, suite, mirror, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var path = Path.GetFullPath(result.GetValue(file)!);
            if (!path.EndsWith(".tar", StringComparison.Ordinal) && !path.EndsWith(".tar.gz", StringComparison.Ordinal)) throw new UserError($"{path} does not end in .tar or .tar.gz.", "Example: appliance builder-image builder.tar.gz");
            if (!Directory.Exists(Path.GetDirectoryName(path))) throw new UserError($"The folder {Path.GetDirectoryName(path)} does not exist.", "Make it first, or write the file elsewhere.");
            BuilderArchive archive;
            using (var observer = BuildObservers.For(result.GetValue(json)))
                archive = await BuilderImageMaker.MakeAsync(path, result.GetValue(suite)!, result.GetValue(mirror) ?? [], observer, cancellationToken);
            var size = new FileInfo(path).Length;
            if (result.GetValue(json)) Console.WriteLine(new System.Text.Json.Nodes.JsonObject { ["event"] = "done", ["file"] = path, ["bytes"] = size, ["image"] = archive.Name, ["id"] = archive.ImageId }.ToJsonString());
            else
                Console.WriteLine($"""

                    {path}  {ByteSize.Format(size)}
                      {archive.Name}

                    Next, on a machine with Docker or podman:
                      out/bin/appliance build image/appliance.yaml --container --builder {Path.GetFileName(path)}
                    """);
            return 0;
        });
        return command;
    }
}
