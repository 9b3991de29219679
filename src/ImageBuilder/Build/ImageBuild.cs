using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.Components;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Packages;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Build;

/// <summary>One build from a definition file to a folder of results.</summary>
internal sealed class ImageBuild(BuildOptions options, IBuildObserver observer)
{
    private const long SpaceForTrees = 4L << 30;

    /// <summary>Names of suites that stand for another one from release to release (Debian's archive, dists).</summary>
    private static readonly string[] Aliases = ["oldoldstable", "oldstable", "stable", "testing", "unstable", "experimental"];

    /// <summary>Runs the build.</summary>
    /// <exception cref="UserError">Anything a person can mend: the definition, the network, the disk, a component.</exception>
    public async Task<BuildResult> RunAsync(CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var library = ProductFolders.Library(options.DefinitionPath);
        var definition = DefinitionReader.Read(options.DefinitionPath, library, options.Board);
        RequireSupported(definition);
        await ForeignBuild.RequireAsync(definition.Board, compiles: options.Supervisor is null, cancellationToken);
        Sandbox.RequireNamespaces();
        var output = new OutputFolder(definition, options);
        RequireSpace(options.CacheFolder);
        RequireSpace(options.OutputFolder);

        using var cache = await StageCache.OpenAsync(options.CacheFolder);
        var workloads = await ChooseWorkloadsAsync(definition, library, cancellationToken);
        if (workloads.FallbackReason is { } reason)
            observer.Warning($"{definition.Workloads.Engine!.Name} cannot be had, so {workloads.Engine!.Name} is baked in instead: {reason} Remove workloads.fallback from the definition to make this an error.");

        var stages = new StageRunner(cache, observer);
        var pipeline = new ImagePipeline(definition, workloads, options, library, cache, stages, observer);
        var parts = await pipeline.RunAsync(cancellationToken);

        var packages = PackageInventory.Read(parts.Base.Folder);
        if (!options.Locked)
        {
            var trees = new Dictionary<string, PackageInventory> { ["base"] = packages, ["tools"] = PackageInventory.Read(parts.Tools.Folder) };
            if (parts.Headers is { } headers) trees["headers"] = PackageInventory.Read(headers.Folder);
            PackageLock.Write(PackageLock.PathFor(options.DefinitionPath), definition.Board.Architecture, trees);
        }
        var identity = OutputIdentity(definition, parts, packages);
        var upToDate = output.IsUpToDate(identity);
        if (!upToDate)
            await output.WriteAsync(identity, parts, workloads, packages.Packages, stages, observer, cancellationToken);
        await cache.PruneAsync();
        return new BuildResult(output.Path, output.Name, clock.Elapsed, upToDate, new FileInfo(parts.RootImage).Length, packages.Packages.Count);
    }

    private static string OutputIdentity(ImageDefinition definition, ImageParts parts, PackageInventory packages)
    {
        using var key = new StageKey().Add("format", "1").Add("parts", parts.Identity).Add("table", parts.Layout.ToSfdiskScript()).Add("tools", parts.Tools.Identity)
            .Add("date", definition.SourceDate.ToString("O")).Add("board", definition.Board.Name).Add("packages", packages.Digest).Add("program", typeof(ImageBuild).Module.ModuleVersionId.ToString());
        return key.Value();
    }

    private async Task<WorkloadChoice> ChooseWorkloadsAsync(ImageDefinition definition, string library, CancellationToken cancellationToken)
    {
        if (definition.Workloads.Engine is not { } wanted) return new WorkloadChoice(null, [], null);
        var pins = DefinitionReader.ReadComponents(LockFile(definition, library));
        var store = new ComponentStore(Path.Combine(options.CacheFolder, "components"), options.Components);
        try
        {
            return new WorkloadChoice(wanted, await ResolveAsync(store, pins, wanted, definition.Board.Architecture, cancellationToken), null);
        }
        catch (ComponentUnavailable missing) when (definition.Workloads.Fallback is not null)
        {
            var fallback = definition.Workloads.Fallback;
            return new WorkloadChoice(fallback, await ResolveAsync(store, pins, fallback, definition.Board.Architecture, cancellationToken), missing.Message);
        }
        catch (ComponentUnavailable missing)
        {
            throw new UserError(missing.Message, missing.Hint, missing);
        }
    }

    private async Task<List<InstalledComponent>> ResolveAsync(ComponentStore store, IReadOnlyList<ComponentPin> pins, EngineDefinition engine, string architecture, CancellationToken cancellationToken)
    {
        var installed = new List<InstalledComponent>();
        foreach (var name in engine.Components)
        {
            var pin = pins.FirstOrDefault(pin => pin.Name == name && pin.Architecture == architecture)
                ?? throw new UserError($"components.lock.yaml pins no {name} for {architecture}, which the engine {engine.Name} needs.", "Add an entry with its version, url and sha256.");
            try
            {
                var file = await store.ResolveAsync(pin, (done, total) => observer.Progress("components", done, total), cancellationToken);
                installed.Add(new InstalledComponent(pin, file));
            }
            catch (ComponentUnavailable missing) when (!pin.Required)
            {
                observer.Warning($"{missing.Message} {engine.Name} works without it and will fetch what it lacks on the device.");
            }
        }
        return installed;
    }

    private static string LockFile(ImageDefinition definition, string library)
    {
        var own = Path.Combine(definition.Folder, "components.lock.yaml");
        return File.Exists(own) ? own : Path.Combine(library, "components.lock.yaml");
    }

    private static void RequireSupported(ImageDefinition definition)
    {
        if (definition.Board is { Boot: BootScheme.Tryboot, Architecture: not "arm64" })
            throw new UserError($"Board {definition.Board.Name} starts by a Raspberry Pi's tryboot and is {definition.Board.Architecture}.", "Set architecture: arm64, or boot: systemd-boot.");
        if (definition.Board.Backports.Count > 0 && Aliases.Contains(definition.Suite))
            throw new UserError($"Board {definition.Board.Name} takes packages from backports, and those of {definition.Suite} go by a code name.", "Say it in the definition, e.g. suite: trixie.");
    }

    private static void RequireSpace(string folder)
    {
        var existing = new DirectoryInfo(Path.GetFullPath(folder));
        while (!existing.Exists && existing.Parent is not null) existing = existing.Parent;
        var free = new DriveInfo(existing.FullName).AvailableFreeSpace;
        if (free < SpaceForTrees)
            throw new UserError($"{folder} is on a disk with {ByteSize.Format(free)} free; a build needs {ByteSize.Format(SpaceForTrees)}.", "Free some space, or choose other places with --cache and --output.");
    }
}
