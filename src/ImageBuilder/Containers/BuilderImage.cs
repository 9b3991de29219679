using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Pipeline;
using Docker.DotNet;
using Docker.DotNet.Models;

namespace Appliance.ImageBuilder.Containers;

/// <summary>The image that builds run in: found in the engine, brought from a file, or made here. It is never pulled.</summary>
internal static class BuilderImage
{
    /// <summary>The label of images that <see cref="BuilderImageMaker"/> made.</summary>
    public const string Label = "io.appliance.builder";

    /// <summary>Raised when a builder must hold what older ones do not.</summary>
    public const string Format = "2";

    private const string HowToMake = "On a Debian machine of the same architecture: out/bin/appliance builder-image builder.tar.gz; copy that file here and add --builder builder.tar.gz (docs/building.md).";

    /// <summary>The name a builder of this version has.</summary>
    public static string DefaultName(string architecture) => $"localhost/appliance-builder:{typeof(BuilderImage).Assembly.GetName().Version!.ToString(3)}-{architecture}";

    /// <summary>Gives the id of the image to use.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="given">The option <c>--builder</c>.</param>
    /// <param name="build">The build, for the archive's mirrors and a place to make an image in.</param>
    /// <param name="observer">Sees how it gets on.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">There is none, or it is no builder, or for another architecture.</exception>
    public static async Task<string> ResolveAsync(ContainerEngine engine, string? given, BuildOptions build, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var image = given is null ? await FindOrMakeAsync(engine, build, observer, cancellationToken)
            : File.Exists(given) ? await BringAsync(engine, given, observer, cancellationToken)
            : await InspectAsync(engine, given, cancellationToken) ?? throw Missing(given, engine);
        if (image.Config?.Labels is not { } labels || !labels.TryGetValue(Label, out var format))
            throw new UserError($"The image {given ?? image.ID} is no builder image: it lacks the label {Label}.", HowToMake);
        if (format != Format) throw new UserError($"The builder image {given ?? image.ID} is of the kind {format}, and this version needs {Format}.", HowToMake);
        if (image.Architecture != engine.Architecture)
            throw new UserError($"The builder image is for {image.Architecture}, and the container engine at {engine.Address} runs {engine.Architecture}.", $"Make one on a machine with {engine.Architecture}.");
        return image.ID;
    }

    private static UserError Missing(string given, ContainerEngine engine) =>
        given.Contains(".tar", StringComparison.Ordinal) || Path.IsPathRooted(given)
            ? new UserError($"The builder image {given} does not exist.", HowToMake)
            : new UserError($"The container engine at {engine.Address} has no image {given}, and builder images are never pulled.", HowToMake);

    private static async Task<ImageInspectResponse> FindOrMakeAsync(ContainerEngine engine, BuildOptions build, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var name = DefaultName(engine.Architecture);
        if (await InspectAsync(engine, name, cancellationToken) is { } found) return found;
        if (!CanMake() || engine.Architecture != DebianArchitecture.Host)
            throw new UserError($"The container engine at {engine.Address} has no builder image ({name}), and it cannot be made here: {(CanMake() ? $"this machine is {DebianArchitecture.Host}" : "there is no mmdebstrap")}.", HowToMake);
        var file = Path.Combine(build.OutputFolder, "builder.tar");
        try
        {
            await BuilderImageMaker.MakeAsync(file, BuilderImageCommand.DefaultSuite, build.Mirrors, observer, cancellationToken);
            return await BringAsync(engine, file, observer, cancellationToken);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static bool CanMake() =>
        OperatingSystem.IsLinux() && (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Join(folder, "mmdebstrap")));

    private static async Task<ImageInspectResponse> BringAsync(ContainerEngine engine, string file, IBuildObserver observer, CancellationToken cancellationToken)
    {
        var archive = await BuilderArchive.ReadAsync(file, cancellationToken);
        if (await InspectAsync(engine, archive.ImageId, cancellationToken) is { } found) return found;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        observer.Started("load");
        try
        {
            var total = new FileInfo(file).Length;
            long sent = 0;
            string? fault = null;
            await using var content = new CountedStream(File.OpenRead(file), bytes => observer.Progress("load", sent += bytes, total));
            await engine.AskAsync("loading the builder image", client => client.Images.LoadImageAsync(new ImageLoadParameters { Quiet = true }, content,
                new Answers(message => fault ??= message.Error?.Message), cancellationToken));
            if (fault is not null) throw engine.Refused("loading the builder image", fault);
            // Engines that keep images as containerd does name them by another digest.
            var loaded = await InspectAsync(engine, archive.ImageId, cancellationToken) ?? (archive.Name.Length > 0 ? await InspectAsync(engine, archive.Name, cancellationToken) : null)
                ?? throw engine.Refused("loading the builder image", $"{file} did not become an image");
            observer.Finished("load", clock.Elapsed, cached: false);
            return loaded;
        }
        catch
        {
            observer.Failed("load", clock.Elapsed);
            throw;
        }
    }

    private static Task<ImageInspectResponse?> InspectAsync(ContainerEngine engine, string name, CancellationToken cancellationToken) =>
        engine.AskAsync<ImageInspectResponse?>("looking at the builder image", async client =>
        {
            try
            {
                return await client.Images.InspectImageAsync(name, cancellationToken);
            }
            catch (DockerApiException e) when (e.StatusCode == System.Net.HttpStatusCode.NotFound)
            {
                return null;
            }
        });

    /// <summary>Called at once, unlike <see cref="Progress{T}"/>, which may call after the answer has ended.</summary>
    private sealed class Answers(Action<JSONMessage> onMessage) : IProgress<JSONMessage>
    {
        public void Report(JSONMessage value) => onMessage(value);
    }
}
