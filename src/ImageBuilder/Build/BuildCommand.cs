using System.CommandLine;
using System.Text.Json;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.ImageBuilder.Containers;
using Appliance.ImageBuilder.Pipeline;

namespace Appliance.ImageBuilder.Build;

/// <summary>The verb <c>appliance build</c>.</summary>
internal static partial class BuildCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var definition = new Argument<string>("definition") { Description = "The image definition.", DefaultValueFactory = _ => "image/appliance.yaml" };
        var output = new Option<string>("--output") { Description = "Folder for the results (default: out).", DefaultValueFactory = _ => "out" };
        var board = new Option<string?>("--board") { Description = "Board to build for instead of the definition's: a file boards/NAME.yaml." };
        var cache = new Option<string?>("--cache") { Description = "Folder for the results of stages (default: OUTPUT/cache); with --container, the name of a volume." };
        var mirror = new Option<string[]>("--mirror") { Description = "Debian archive to use instead of mmdebstrap's default: a URL or an apt source line. May be repeated." };
        var component = new Option<string[]>("--component") { Description = "NAME=FILE: a component file instead of a download. Its hash must be the pinned one. May be repeated." };
        var supervisor = new Option<string?>("--supervisor") { Description = "A ready supervisor binary instead of publishing src/Supervisor." };
        var locked = new Option<bool>("--locked") { Description = "Refuse packages that differ from appliance.lock.yaml." };
        var refresh = new Option<bool>("--refresh") { Description = "Ask the archive for newer packages instead of using the cached trees." };
        var container = new Option<bool>("--container") { Description = "Build in a container, on Docker or podman: for machines that are not Debian." };
        var builder = new Option<string?>("--builder") { Description = "With --container: the image to build in, a file that `appliance builder-image` made or the name of one that the engine has." };
        var engine = new Option<string?>("--engine") { Description = "With --container: address of the container engine (default: DOCKER_HOST, docker's context, then the usual sockets)." };
        var network = new Option<string?>("--network") { Description = "With --container: its network, e.g. host (default: the engine's)." };
        var context = new Option<string?>("--context") { Description = "With --container: the folder that holds everything the definition names (default: the clone it is in)." };
        var json = new Option<bool>("--json") { Description = "One JSON event per line on standard output." };

        var command = new Command("build", """
            Builds a disk image, an update bundle and an SBOM from an image definition.

            Examples:
              appliance build image/appliance.yaml
              appliance build image/appliance.yaml --component k3s=./k3s --locked
              appliance build image/appliance.yaml --board uefi-arm64
              appliance build my/edge.yaml --mirror http://deb.example.net/debian --output /srv/images
              appliance build image/appliance.yaml --container --builder builder.tar.gz
            """)
        { definition, output, board, cache, mirror, component, supervisor, locked, refresh, container, builder, engine, network, context, json };

        command.SetAction(async (result, cancellationToken) =>
        {
            var outputFolder = Path.GetFullPath(result.GetValue(output)!);
            var inContainer = result.GetValue(container);
            foreach (var option in new[] { builder, engine, network, context })
                if (!inContainer && result.GetValue(option) is not null) throw new UserError($"{option.Name} is for builds in a container.", "Add --container.");
            var options = new BuildOptions
            {
                DefinitionPath = result.GetValue(definition)!,
                Board = result.GetValue(board),
                OutputFolder = outputFolder,
                CacheFolder = Path.GetFullPath(inContainer ? Path.Combine(outputFolder, "cache") : result.GetValue(cache) ?? Path.Combine(outputFolder, "cache")),
                Mirrors = result.GetValue(mirror) ?? [],
                Components = ParseComponents(result.GetValue(component) ?? []),
                Supervisor = result.GetValue(supervisor) is { } binary ? Path.GetFullPath(binary) : null,
                Locked = result.GetValue(locked),
                Refresh = result.GetValue(refresh),
            };
            using var observer = BuildObservers.For(result.GetValue(json));
            var built = inContainer
                ? await new ContainerBuild(new ContainerBuildOptions
                {
                    Build = options,
                    Builder = result.GetValue(builder),
                    Engine = result.GetValue(engine),
                    Network = result.GetValue(network),
                    Context = result.GetValue(context),
                    Volume = VolumeName(result.GetValue(cache)),
                }, new EngineSurroundings(), observer).RunAsync(cancellationToken)
                : await new ImageBuild(options, observer).RunAsync(cancellationToken);
            Report(built, result.GetValue(json));
            return 0;
        });
        return command;
    }

    private static string? VolumeName(string? value) =>
        value is null || VolumePattern().IsMatch(value) ? value : throw new UserError($"--cache {value} is not the name of a volume, which it is with --container.", "Example: --cache appliance-cache");

    /// <summary>The names that Docker and podman take.</summary>
    [GeneratedRegex("^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")]
    private static partial Regex VolumePattern();

    private static Dictionary<string, string> ParseComponents(string[] values)
    {
        var components = new Dictionary<string, string>();
        foreach (var value in values)
        {
            var (name, file) = value.Split('=', 2) is [var left, var right] && left.Length > 0 && right.Length > 0
                ? (left, right)
                : throw new UserError($"--component {value} is not NAME=FILE.", "Example: --component k3s=./k3s");
            components[name] = Path.GetFullPath(file);
        }
        return components;
    }

    private static void Report(BuildResult built, bool json)
    {
        if (json)
        {
            using var writer = new Utf8JsonWriter(Console.OpenStandardOutput());
            writer.WriteStartObject();
            writer.WriteString("event", "done");
            writer.WriteString("folder", built.Folder);
            writer.WriteNumber("seconds", Math.Round(built.Duration.TotalSeconds, 2));
            writer.WriteBoolean("upToDate", built.UpToDate);
            writer.WriteEndObject();
            writer.Flush();
            Console.WriteLine();
            return;
        }
        var folder = Path.GetRelativePath(Environment.CurrentDirectory, built.Folder);
        Console.WriteLine($"""

            {(built.UpToDate ? "Up to date" : "Built")} in {built.Duration.TotalSeconds:0.0} s: {folder}
              root file system  {ByteSize.Format(built.RootSize)}, {built.PackageCount} Debian packages
            """);
        foreach (var file in new DirectoryInfo(built.Folder).GetFiles().OrderBy(file => file.Name, StringComparer.Ordinal))
            Console.WriteLine($"  {file.Name,-32} {ByteSize.Format(file.Length),10}");
        Console.WriteLine($"""

            Next:
              out/bin/appliance run {folder}
              out/bin/appliance flash {Path.Combine(folder, "disk.img.zst")} /dev/sdX
            """);
    }
}
