using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Components;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Disk;
using Appliance.ImageBuilder.Packages;
using Appliance.ImageBuilder.Tools;
using Appliance.ImageBuilder.Workloads;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>The story of an image: its stages in order, and what each depends on.</summary>
internal sealed class ImagePipeline(ImageDefinition definition, WorkloadChoice workloads, BuildOptions options, string libraryFolder, StageCache cache, StageRunner stages, IBuildObserver observer)
{
    private const string EfiPrograms = "systemd-boot-efi";

    /// <summary>Raspberry Pi documentation, config.txt, boot_ramdisk: "The maximum size for a ramdisk file is 96MB."</summary>
    private const long LargestBootImage = 96L << 20;

    private readonly string _epoch = definition.SourceDate.ToUnixTimeSeconds().ToString();

    /// <summary>Runs every stage up to the parts an image is assembled from. Stages that do not need each other run side by side.</summary>
    public async Task<ImageParts> RunAsync(CancellationToken cancellationToken)
    {
        using var failure = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var token = failure.Token;

        var supervisor = Guard(SupervisorAsync(token), failure);
        var tools = Guard(BootstrapAsync("tools", ToolArchitectures(), ToolPackages(), null, token), failure);
        var root = Guard(BootstrapAsync("base", definition.Board.Architecture, RootPackages(), definition.Board, token), failure);
        var initrd = Guard(InitrdAsync(root, token), failure);
        var tryboot = definition.Board.Boot == BootScheme.Tryboot;
        var headers = Guard(tryboot ? HeadersAsync(initrd, token) : NothingAsync(), failure);
        var module = Guard(tryboot ? ModuleAsync(headers, initrd, token) : NothingAsync(), failure);
        var releases = Guard(ReleasesAsync(token), failure);
        var overlays = Guard(OverlaysAsync(root, supervisor, releases, module, token), failure);
        var erofs = Guard(ErofsAsync(tools, root, overlays, token), failure);
        var verity = Guard(VerityAsync(tools, erofs, token), failure);
        var boot = Guard(tryboot ? BootImageAsync(tools, root, initrd, verity, token) : UkiAsync(tools, initrd, overlays, verity, token), failure);
        var partitions = Guard(tryboot ? BootPartitionsAsync(tools, boot, token) : EspAsync(tools, boot, token), failure);

        await WhenAllFirstErrorAsync([supervisor, tools, root, initrd, headers, module, releases, overlays, erofs, verity, boot, partitions], cancellationToken);
        var rootHash = (await File.ReadAllTextAsync((await verity).File("root-hash"), token)).Trim();
        return new ImageParts
        {
            Layout = DiskLayout.For(definition, rootHash),
            RootHash = rootHash,
            Salt = Salt(),
            Tools = await tools,
            Base = await root,
            Headers = await headers,
            Supervisor = await supervisor,
            RootImage = (await erofs).File("root.erofs"),
            VerityTree = (await verity).File("root.verity"),
            Boot = (await boot).File(tryboot ? "boot.img" : "uki.efi"),
            BootPartitions = [.. (tryboot ? DiskLayout.TrybootPartitions(definition).Select(part => part.Label) : ["esp"]).Select(name => partitions.Result.File($"{name}.img"))],
            KernelVersion = await KernelVersionAsync(initrd, token),
            Identity = (await partitions).Identity,
        };
    }

    private async Task<StageResult> BootstrapAsync(string name, string architectures, IReadOnlyList<string> packages, BoardDefinition? board, CancellationToken cancellationToken)
    {
        var keepTranslations = name == "base" && !IsPlainLocale();
        var key = Key(name, "bootstrap.sh").Add("suite", definition.Suite).Add("architecture", architectures).Add("packages", packages).Add("areas", board?.ArchiveAreas ?? []).Add("backports", board?.Backports ?? [])
            .Add("mirrors", options.Mirrors).Add("modules", board?.ModulesExclude ?? []).Add("translations", keepTranslations.ToString());
        var tree = await stages.RunAsync(name, key, options.Refresh, folder => InSandboxAsync(name, null, "bootstrap.sh", new()
        {
            ["OUT"] = folder,
            ["SUITE"] = definition.Suite,
            ["ARCHITECTURES"] = architectures,
            ["PACKAGES"] = string.Join(',', packages),
            ["AREAS"] = string.Join(',', (board?.ArchiveAreas ?? []).Prepend("main")),
            ["BACKPORTS"] = string.Join(' ', board?.Backports ?? []),
            ["MIRRORS"] = string.Join('\n', options.Mirrors),
            ["MODULES_EXCLUDE"] = string.Join('\n', board?.ModulesExclude ?? []),
            ["KEEP_TRANSLATIONS"] = keepTranslations ? "yes" : "no",
        }, cancellationToken), (value, folder) => $"{value}+{PackageInventory.Read(folder).Digest}");
        if (options.Locked) PackageLock.Require(PackageLock.PathFor(options.DefinitionPath), definition.Board.Architecture, name, PackageInventory.Read(tree.Folder));
        return tree;
    }

    private async Task<StageResult> SupervisorAsync(CancellationToken cancellationToken)
    {
        var publication = SupervisorPublication.For(options, definition.Board.Architecture);
        return await stages.RunAsync("supervisor", await publication.KeyAsync(cancellationToken), fresh: false,
            folder => publication.RunAsync(folder, Path.Combine(cache.Folder, $"work-supervisor{StageCache.Partial}"), line => observer.Output("supervisor", line), cancellationToken));
    }

    private async Task<StageResult> InitrdAsync(Task<StageResult> root, CancellationToken cancellationToken)
    {
        var tree = await root;
        var include = Path.Combine(libraryFolder, "initrd");
        var key = Key("initrd", "initrd.sh").Add("base", tree.Identity).Add("drivers", definition.Board.InitrdDrivers).AddTree("include", include);
        return await stages.RunAsync("initrd", key, false, folder => InSandboxAsync("initrd", null, "initrd.sh", new()
        {
            ["OUT"] = folder,
            ["BASE"] = tree.File("tree"),
            ["DRIVERS"] = string.Join(' ', definition.Board.InitrdDrivers),
            ["INCLUDE"] = include,
        }, cancellationToken));
    }

    /// <summary>The headers of the image's kernel, with the compiler that it was made by.</summary>
    private async Task<StageResult?> HeadersAsync(Task<StageResult> initrd, CancellationToken cancellationToken) =>
        await BootstrapAsync("headers", ToolArchitectures(), [$"linux-headers-{await KernelVersionAsync(initrd, cancellationToken)}{(IsForeign() ? $":{definition.Board.Architecture}" : "")}", "make"], definition.Board, cancellationToken);

    /// <summary>What hands a restart's word "tryboot" over to a Raspberry Pi's firmware: Debian's kernel does not.</summary>
    private async Task<StageResult?> ModuleAsync(Task<StageResult?> headers, Task<StageResult> initrd, CancellationToken cancellationToken)
    {
        var (tree, version) = ((await headers)!, await KernelVersionAsync(initrd, cancellationToken));
        var source = Path.Combine(libraryFolder, "modules", "appliance-tryboot");
        var key = Key("module", "module.sh").Add("headers", tree.Identity).Add("version", version).AddTree("source", source);
        return await stages.RunAsync("module", key, false, folder => InSandboxAsync("module", tree, "module.sh", new()
        {
            ["OUT"] = folder,
            ["SOURCE"] = source,
            ["VERSION"] = version,
        }, cancellationToken));
    }

    private static Task<StageResult?> NothingAsync() => Task.FromResult<StageResult?>(null);

    private static async Task<string> KernelVersionAsync(Task<StageResult> initrd, CancellationToken cancellationToken) =>
        (await File.ReadAllTextAsync((await initrd).File("kernel-version"), cancellationToken)).Trim();

    /// <summary>The payloads of the releases that the image brings, each in a folder with its workload's id.</summary>
    private async Task<StageResult> ReleasesAsync(CancellationToken cancellationToken)
    {
        var builds = definition.Workloads.Include.ToDictionary(folder => WorkloadDefinition.Read(folder).Id, folder => new WorkloadBuild(new() { Folder = folder, CacheFolder = cache.Folder, Locked = options.Locked, Refresh = options.Refresh }, observer));
        var key = new StageKey().Add("stage", "workloads").Add("program", typeof(WorkloadBuild).Module.ModuleVersionId.ToString()).Add("locked", options.Locked.ToString());
        var known = true;
        foreach (var build in builds.Values) known &= await build.AddToAsync(key, cancellationToken);
        // Tags may stand for another image now; which, only the build can say.
        var built = await stages.RunAsync("workloads", key, fresh: !known || options.Refresh && builds.Count > 0, async folder =>
        {
            foreach (var (id, build) in builds)
                await build.WritePayloadAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, id)).FullName, WorkloadRelease.PayloadName), cancellationToken);
        });
        await RequireSignedAsync(built.Folder, cancellationToken);
        return built;
    }

    /// <summary>The device would refuse at its first boot what is refused here.</summary>
    private async Task RequireSignedAsync(string releases, CancellationToken cancellationToken)
    {
        var policy = new SignaturePolicy { Rules = definition.Workloads.Signatures };
        foreach (var folder in Directory.EnumerateDirectories(releases))
        {
            await using var payload = File.OpenRead(Path.Combine(folder, WorkloadRelease.PayloadName));
            if (policy.FindFaults(await WorkloadArchiveReader.ReadReleaseAsync(payload, cancellationToken)) is { Count: > 0 } faults)
                throw new UserError($"The image brings the workload {Path.GetFileName(folder)}, whose images it does not let run:{string.Concat(faults.Select(fault => $"\n  {fault}"))}", "Have workload.yaml ask for the signatures, or change workloads.signatures in the definition.");
        }
    }

    private async Task<StageResult> OverlaysAsync(Task<StageResult> root, Task<StageResult> supervisor, Task<StageResult> releases, Task<StageResult?> module, CancellationToken cancellationToken)
    {
        var (tree, modules) = (await root, await module);
        var binary = (await supervisor).File(SupervisorPublication.BinaryName);
        var content = new RootContent(definition, workloads, binary, (await releases).Folder, tree.File("tree"), libraryFolder);
        var key = Key("overlays", "overlays.sh").Add("base", tree.Identity).Add("supervisor", (await supervisor).Identity).Add("workloads", (await releases).Identity).Add("modules", modules?.Identity);
        content.AddTo(key);
        return await stages.RunAsync("overlays", key, false, folder =>
        {
            var variables = content.WriteTo(Path.Combine(folder, "generated"));
            variables["OUT"] = folder;
            variables["BASE"] = tree.File("tree");
            variables["MODULES"] = modules?.Folder ?? "";
            return InSandboxAsync("overlays", null, "overlays.sh", variables, cancellationToken);
        });
    }

    private async Task<StageResult> ErofsAsync(Task<StageResult> tools, Task<StageResult> root, Task<StageResult> overlays, CancellationToken cancellationToken)
    {
        var (toolTree, baseTree, layer) = (await tools, await root, await overlays);
        var key = Key("erofs", "erofs.sh").Add("tools", toolTree.Identity).Add("overlays", layer.Identity).Add("compression", definition.Compression.ToString());
        return await stages.RunAsync("erofs", key, false, async folder =>
        {
            await InSandboxAsync("erofs", toolTree, "erofs.sh", new()
            {
                ["OUT"] = folder,
                ["BASE"] = baseTree.File("tree"),
                ["UPPER"] = layer.File("upper"),
                ["UUID"] = DiskLayout.NameBased(definition, "erofs").ToString(),
                ["COMPRESSION"] = definition.Compression.ToString().ToLowerInvariant(),
            }, cancellationToken);
            RefuseTooLargeRoot(new FileInfo(Path.Combine(folder, "root.erofs")).Length);
        });
    }

    private async Task<StageResult> VerityAsync(Task<StageResult> tools, Task<StageResult> erofs, CancellationToken cancellationToken)
    {
        var (toolTree, root) = (await tools, await erofs);
        RefuseTooLargeRoot(new FileInfo(root.File("root.erofs")).Length);
        var key = Key("verity", "verity.sh").Add("tools", toolTree.Identity).Add("erofs", root.Identity).Add("salt", Salt());
        return await stages.RunAsync("verity", key, false, folder => InSandboxAsync("verity", toolTree, "verity.sh", new()
        {
            ["OUT"] = folder,
            ["ROOT"] = root.Folder,
            ["SALT"] = Salt(),
            ["UUID"] = DiskLayout.NameBased(definition, "verity").ToString(),
        }, cancellationToken));
    }

    private async Task<StageResult> UkiAsync(Task<StageResult> tools, Task<StageResult> initrd, Task<StageResult> overlays, Task<StageResult> verity, CancellationToken cancellationToken)
    {
        var (toolTree, kernel, layer, hashTree) = (await tools, await initrd, await overlays, await verity);
        var rootHash = (await File.ReadAllTextAsync(hashTree.File("root-hash"), cancellationToken)).Trim();
        var commandLine = CommandLine(rootHash);
        var key = Key("uki", "uki.sh").Add("tools", toolTree.Identity).Add("initrd", kernel.Identity).Add("overlays", layer.Identity).Add("command line", commandLine);
        return await stages.RunAsync("uki", key, false, folder => InSandboxAsync("uki", toolTree, "uki.sh", new()
        {
            ["OUT"] = folder,
            ["KERNEL"] = kernel.Folder,
            ["OS_RELEASE"] = Path.Combine(layer.Folder, "generated", "os-release"),
            ["COMMAND_LINE"] = commandLine,
            ["STUB"] = $"/usr/lib/systemd/boot/efi/linux{EfiArchitecture()}.efi.stub",
            ["EFI_ARCH"] = EfiArchitecture(),
        }, cancellationToken));
    }

    private async Task<StageResult> EspAsync(Task<StageResult> tools, Task<StageResult> uki, CancellationToken cancellationToken)
    {
        var (toolTree, kernel) = (await tools, await uki);
        var entry = $"{definition.Id}_{definition.Version}+3.efi"; // three tries until the health gate has blessed it
        var key = Key("esp", "esp.sh").Add("tools", toolTree.Identity).Add("uki", kernel.Identity).Add("entry", entry).Add("size", definition.Sizes.Esp.ToString());
        return await stages.RunAsync("esp", key, false, async folder =>
        {
            var needed = new FileInfo(kernel.File("uki.efi")).Length * 2 + (8L << 20);
            if (needed > definition.Sizes.Esp)
                throw new UserError($"The ESP of {ByteSize.Format(definition.Sizes.Esp)} cannot hold the kernel images of two slots ({ByteSize.Format(needed)}).", "Raise sizes.esp in the definition.");
            await InSandboxAsync("esp", toolTree, "esp.sh", new()
            {
                ["OUT"] = folder,
                ["UKI"] = kernel.File("uki.efi"),
                ["SIZE"] = definition.Sizes.Esp.ToString(),
                ["VOLUME_ID"] = DiskLayout.NameBased(definition, "esp").ToString()[..8],
                ["ENTRY"] = entry,
                ["EFI_ARCH"] = EfiArchitecture(),
            }, cancellationToken);
        });
    }

    /// <summary>
    /// All that a Raspberry Pi's firmware loads of a slot, in one file: the FAT image that it takes for a boot partition with
    /// <c>boot_ramdisk=1</c>. So a slot's boot files appear by one rename, and none of them can be of another version.
    /// </summary>
    private async Task<StageResult> BootImageAsync(Task<StageResult> tools, Task<StageResult> root, Task<StageResult> initrd, Task<StageResult> verity, CancellationToken cancellationToken)
    {
        var (toolTree, baseTree, kernel, hashTree) = (await tools, await root, await initrd, await verity);
        var commandLine = CommandLine((await File.ReadAllTextAsync(hashTree.File("root-hash"), cancellationToken)).Trim());
        var key = Key("bootimage", "bootimage.sh").Add("tools", toolTree.Identity).Add("base", baseTree.Identity).Add("initrd", kernel.Identity).Add("command line", commandLine);
        return await stages.RunAsync("bootimage", key, false, async folder =>
        {
            await InSandboxAsync("bootimage", toolTree, "bootimage.sh", new()
            {
                ["OUT"] = folder,
                ["BASE"] = baseTree.File("tree"),
                ["KERNEL"] = kernel.Folder,
                ["COMMAND_LINE"] = commandLine,
                ["VOLUME_ID"] = DiskLayout.NameBased(definition, "boot.img").ToString()[..8],
            }, cancellationToken);
            var size = new FileInfo(Path.Combine(folder, "boot.img")).Length;
            if (size > LargestBootImage)
                throw new UserError($"The boot files of {ByteSize.Format(size)} are more than the {ByteSize.Format(LargestBootImage)} that a Raspberry Pi's firmware loads.", "Take drivers off the board's initrdDrivers.");
        });
    }

    private async Task<StageResult> BootPartitionsAsync(Task<StageResult> tools, Task<StageResult> bootImage, CancellationToken cancellationToken)
    {
        var (toolTree, image) = (await tools, await bootImage);
        var key = Key("autoboot", "autoboot.sh").Add("tools", toolTree.Identity).Add("boot image", image.Identity).Add("size", definition.Sizes.Esp.ToString());
        return await stages.RunAsync("autoboot", key, false, async folder =>
        {
            var needed = new FileInfo(image.File("boot.img")).Length + (8L << 20);
            if (needed > definition.Sizes.Esp)
                throw new UserError($"A boot partition of {ByteSize.Format(definition.Sizes.Esp)} cannot hold the boot files of a slot ({ByteSize.Format(needed)}).", "Raise sizes.esp in the definition.");
            await InSandboxAsync("autoboot", toolTree, "autoboot.sh", new()
            {
                ["OUT"] = folder,
                ["BOOT_IMAGE"] = image.Folder,
                ["PARTITIONS"] = string.Concat(DiskLayout.TrybootPartitions(definition).Select(part => $"{part.Label} {part.Size} {DiskLayout.NameBased(definition, part.Label).ToString()[..8]}\n")),
            }, cancellationToken);
        });
    }

    private string CommandLine(string rootHash) => string.Join(' ', [.. definition.Board.KernelArguments, .. definition.KernelArguments, $"roothash={rootHash}"]);

    private async Task InSandboxAsync(string stage, StageResult? tools, string script, Dictionary<string, string?> variables, CancellationToken cancellationToken)
    {
        variables["SOURCE_DATE_EPOCH"] = _epoch;
        var work = Path.Combine(cache.Folder, $"work-{stage}{StageCache.Partial}");
        var sandbox = new Sandbox(tools?.File("tree") ?? "/nonexistent", work);
        try
        {
            await sandbox.RunAsync(script, variables, line => observer.Output(stage, line), cancellationToken);
        }
        catch (ToolFailure failure)
        {
            throw StageDiagnosis.Explain(stage, failure, definition);
        }
        finally
        {
            await Sandbox.DeleteAsync(work);
        }
    }

    private StageKey Key(string stage, string script) =>
        new StageKey().Add("stage", stage).Add("common", Sandbox.ScriptText("common.sh")).Add("script", Sandbox.ScriptText(script)).Add("epoch", _epoch).Add("id", definition.Id);

    private List<string> RootPackages() =>
        definition.Board.Packages.Concat(workloads.Engine?.Packages ?? []).Concat(RootContent.ImpliedPackages(definition)).Concat(definition.PackagesAdd)
            .Except(definition.PackagesRemove).Distinct().Order(StringComparer.Ordinal).ToList();

    /// <summary>Build tools come from the image's own suite, not from the host. What they run on is this machine, what they put together is the board's.</summary>
    private string[] ToolPackages() =>
    [
        "erofs-utils", "cryptsetup-bin", "dosfstools", "mtools", "e2fsprogs", "fdisk", "zstd",
        .. definition.Board.Boot == BootScheme.Tryboot ? ["device-tree-compiler"] : new[] { "systemd-ukify", IsForeign() ? $"{EfiPrograms}:{definition.Board.Architecture}" : EfiPrograms },
    ];

    private string ToolArchitectures() => IsForeign() ? $"{DebianArchitecture.Host},{definition.Board.Architecture}" : DebianArchitecture.Host;

    private bool IsForeign() => definition.Board.Architecture != DebianArchitecture.Host;

    /// <summary>The verity salt: fixed for a version, so that two builds of it agree, and different between versions.</summary>
    private string Salt() => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"appliance:{definition.Id}:{definition.Version}:salt")));

    private string EfiArchitecture() => definition.Board.Architecture == "amd64" ? "x64" : "aa64";

    private bool IsPlainLocale() => definition.Locale is "C" or "C.UTF-8" or "POSIX";

    private void RefuseTooLargeRoot(long size)
    {
        if (size > definition.Sizes.Slot)
            throw new UserError(
                $"The root file system of {ByteSize.Format(size)} does not fit into a slot of {ByteSize.Format(definition.Sizes.Slot)}.",
                "Raise sizes.slot, remove packages, or set root.compression in the definition.");
    }

    /// <summary>The first stage that fails ends the others.</summary>
    private static async Task<T> Guard<T>(Task<T> stage, CancellationTokenSource failure)
    {
        try
        {
            return await stage;
        }
        catch
        {
            await failure.CancelAsync();
            throw;
        }
    }

    /// <summary>Waits for all, then reports the error that came first and not the cancellations it caused.</summary>
    private static async Task WhenAllFirstErrorAsync(Task[] running, CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(running);
        }
        catch
        {
            cancellationToken.ThrowIfCancellationRequested();
            var cause = running.Select(stage => stage.Exception?.InnerException).FirstOrDefault(e => e is not null and not OperationCanceledException);
            if (cause is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(cause);
            throw;
        }
    }
}
