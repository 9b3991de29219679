using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Tools;
using Docker.DotNet;
using Docker.DotNet.Models;

namespace Appliance.ImageBuilder.Containers;

/// <summary>
/// One build in a container: what it needs is sent in, the same program runs there, its results are brought out, and the
/// container is gone however it ends. What stays is a volume with the results of stages.
/// </summary>
internal sealed class ContainerBuild(ContainerBuildOptions options, EngineSurroundings surroundings, IBuildObserver observer)
{
    /// <summary>The label of build containers: which output folder on which machine they build for.</summary>
    public const string Label = "io.appliance.build";

    private const int UserMistake = 2;
    private const uint SecondsToEnd = 20;

    // A build mounts overlays and makes namespaces for its tools; device nodes and owners come with Debian's packages. It gets no
    // device of the host and none of its files.
    private static readonly string[] Capabilities = ["SYS_ADMIN", "MKNOD"];
    private static readonly string[] Unconfined = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"];

    private static readonly string[] PassedOn =
        ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY", "NUGET_CERT_REVOCATION_MODE"];

    private readonly string _id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.MachineName}\n{options.Build.OutputFolder}")))[..12];

    private string Volume => options.Volume ?? $"appliance-{_id}";

    /// <summary>Runs the build.</summary>
    /// <exception cref="UserError">Anything a person can mend, here or in the container.</exception>
    public async Task<BuildResult> RunAsync(CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var context = BuildContext.For(options, surroundings.Variable);
        var name = $"{context.Definition.Id}_{context.Definition.Version}_{context.Definition.Board.Architecture}";
        Directory.CreateDirectory(options.Build.OutputFolder);
        using var alone = HoldOutput();
        using var engine = await ContainerEngine.ConnectAsync(options.Engine, surroundings, cancellationToken);
        await RemoveLeftoversAsync(engine, cancellationToken);
        var image = await BuilderImage.ResolveAsync(engine, options.Builder, options.Build, observer, cancellationToken);
        var folders = context.Folders;
        folders.Add(options.Build.OutputFolder, Results);

        var container = await CreateAsync(engine, image, context, name, cancellationToken);
        try
        {
            await SendAsync(engine, container, context, cancellationToken);
            var log = new ContainerLog(observer, folders.Translate);
            await RunToEndAsync(engine, container, log, cancellationToken);
            var results = new ContainerResults(engine, container, observer);
            var folder = Path.Combine(options.Build.OutputFolder, name);
            var (record, upToDate) = await results.BringAsync($"{Results}/{name}", folder, cancellationToken);
            await results.BringLocksAsync(context, options.Build, cancellationToken);
            return new BuildResult(folder, name, clock.Elapsed, upToDate, (long)record["sizes"]!["root"]!, (int)record["packages"]!);
        }
        finally
        {
            await EndAsync(engine, container, isCancelled: cancellationToken.IsCancellationRequested);
        }
    }

    /// <summary>In the volume: an unchanged build finds its own results there. Several output folders may share a volume.</summary>
    private string Results => $"{BuildContext.State}/out-{_id}";

    private FileStream HoldOutput()
    {
        try
        {
            return new FileStream(Path.Combine(options.Build.OutputFolder, ".container-build"), new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, Options = FileOptions.DeleteOnClose });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{options.Build.OutputFolder} is in use by another build, or cannot be written: {e.Message}", "Wait for that build, or choose another folder with --output.", e);
        }
    }

    /// <summary>Containers of builds for this folder that were killed: nobody else can be at it now.</summary>
    private async Task RemoveLeftoversAsync(ContainerEngine engine, CancellationToken cancellationToken)
    {
        var filters = new Dictionary<string, IDictionary<string, bool>> { ["label"] = new Dictionary<string, bool> { [$"{Label}={_id}"] = true } };
        var left = await engine.AskAsync("looking for containers of killed builds", client => client.Containers.ListContainersAsync(new ContainersListParameters { All = true, Filters = filters }, cancellationToken));
        foreach (var container in left)
        {
            observer.Warning($"A build that was killed has left the container {container.ID[..12]}; it is removed.");
            await RemoveAsync(engine, container.ID);
        }
    }

    private async Task<string> CreateAsync(ContainerEngine engine, string image, BuildContext context, string name, CancellationToken cancellationToken)
    {
        // The results of versions built before do not pile up in the volume.
        const string script = """for old in "$1"/*; do [ "$old" = "$1/$2" ] || rm -rf "$old"; done; shift 2; exec dotnet "$@" """;
        var build = options.Build;
        List<string> arguments =
        [
            "sh", "-c", script, "sh", Results, name, BuildContext.ProgramFile, "build", context.Folders.Find(build.DefinitionPath)!, "--json",
            "--output", Results, "--cache", $"{BuildContext.State}/cache",
        ];
        foreach (var mirror in build.Mirrors) arguments.AddRange(["--mirror", mirror]);
        foreach (var (component, file) in context.Components) arguments.AddRange(["--component", $"{component}={file}"]);
        if (context.Supervisor is { } supervisor) arguments.AddRange(["--supervisor", supervisor]);
        if (build.Board is { } board) arguments.AddRange(["--board", board]);
        if (build.Locked) arguments.Add("--locked");
        if (build.Refresh) arguments.Add("--refresh");

        List<string> environment = [$"NUGET_PACKAGES={BuildContext.State}/nuget", "HOME=/root"];
        foreach (var variable in PassedOn)
            if (surroundings.Variable(variable) is { } value) environment.Add($"{variable}={value}");
        var created = await engine.AskAsync("making the container", client => client.Containers.CreateContainerAsync(new CreateContainerParameters
        {
            Image = image,
            Cmd = arguments,
            Env = environment,
            WorkingDir = "/work",
            Labels = new Dictionary<string, string> { [Label] = _id },
            HostConfig = new HostConfig
            {
                NetworkMode = options.Network!, // null: the engine chooses
                CapAdd = [.. Capabilities],
                SecurityOpt = [.. Unconfined],
                // The tools' own /proc cannot be mounted where parts of this one are covered.
                MaskedPaths = [],
                ReadonlyPaths = [],
                Mounts = [new Mount { Type = "volume", Source = Volume, Target = BuildContext.State }],
            },
        }, cancellationToken));
        return created.ID;
    }

    private async Task SendAsync(ContainerEngine engine, string container, BuildContext context, CancellationToken cancellationToken)
    {
        const string stage = "sources";
        var clock = Stopwatch.StartNew();
        observer.Started(stage);
        try
        {
            using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var pipe = new Pipe();
            var writing = WriteAsync();
            await using var content = pipe.Reader.AsStream();
            try
            {
                await engine.AskAsync("taking the sources", client => client.Containers.ExtractArchiveToContainerAsync(container, new CopyToContainerParameters { Path = "/" }, content, cancellationToken));
            }
            catch
            {
                await broken.CancelAsync();
                await pipe.Reader.CompleteAsync();
                await writing; // a file here that cannot be read is the cause, and the broken stream what follows
                throw;
            }
            await writing;

            async Task WriteAsync()
            {
                try
                {
                    await using var target = pipe.Writer.AsStream(leaveOpen: true);
                    await context.WriteAsync(target, done => observer.Progress(stage, done, 0), broken.Token);
                    await pipe.Writer.CompleteAsync();
                }
                catch (Exception e)
                {
                    await pipe.Writer.CompleteAsync(e);
                    if (!broken.IsCancellationRequested) throw;
                }
            }
        }
        catch
        {
            observer.Failed(stage, clock.Elapsed);
            throw;
        }
        observer.Finished(stage, clock.Elapsed, cached: false);
    }

    private static async Task RunToEndAsync(ContainerEngine engine, string container, ContainerLog log, CancellationToken cancellationToken)
    {
        using (var stream = await engine.AskAsync("listening to the container", client => client.Containers.AttachContainerAsync(container, new ContainerAttachParameters { Stream = true, Stdout = true, Stderr = true }, cancellationToken)))
        {
            await engine.AskAsync("starting the container", client => client.Containers.StartContainerAsync(container, new ContainerStartParameters(), cancellationToken));
            await engine.AskAsync("listening to the container", _ => log.ReadAsync(stream, cancellationToken));
        }
        var ended = await engine.AskAsync("waiting for the container", client => client.Containers.WaitContainerAsync(container, cancellationToken));
        if (ended.StatusCode == 0) return;
        var state = (await engine.AskAsync("looking at the container", client => client.Containers.InspectContainerAsync(container, cancellationToken))).State;
        if (state?.OOMKilled == true) throw new UserError("The build ran out of memory and was ended.", "Give the container engine's machine more memory; a build needs about 4 GiB.");
        throw ended.StatusCode == UserMistake ? new UserError(Mistake(log.Errors)) : new ToolFailure("the build in the container", (int)ended.StatusCode, log.Errors);
    }

    private static string Mistake(string errors) => errors.StartsWith("error: ", StringComparison.Ordinal) ? errors["error: ".Length..] : errors;

    /// <summary>Ends and removes the container. A build that is interrupted ends by itself, tidily; who interrupts once more does not wait for it.</summary>
    private async Task EndAsync(ContainerEngine engine, string container, bool isCancelled)
    {
        if (isCancelled)
        {
            using var again = new CancellationTokenSource();
            void OnSignal(PosixSignalContext signal)
            {
                signal.Cancel = true;
                again.Cancel();
            }
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
            try
            {
                await engine.Client.Containers.StopContainerAsync(container, new ContainerStopParameters { WaitBeforeKillSeconds = SecondsToEnd }, again.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or DockerApiException or HttpRequestException or IOException)
            {
                // It is killed and removed then.
            }
        }
        await RemoveAsync(engine, container);
    }

    private static async Task RemoveAsync(ContainerEngine engine, string container)
    {
        try
        {
            await engine.Client.Containers.RemoveContainerAsync(container, new ContainerRemoveParameters { Force = true, RemoveVolumes = true }, CancellationToken.None);
        }
        catch (DockerContainerNotFoundException)
        {
            // Somebody else has removed it.
        }
        catch (Exception e) when (e is DockerApiException or HttpRequestException or IOException)
        {
            await Console.Error.WriteLineAsync($"warning: The container {container[..12]} could not be removed: {e.Message}\n  The next build into the same folder removes it; or: docker rm --force {container[..12]}");
        }
    }
}
