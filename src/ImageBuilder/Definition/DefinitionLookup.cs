using Appliance.Core;
using Appliance.Core.Yaml;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Finds what a definition names: first in its own folder, then in the product's <c>image/</c> folder.</summary>
internal sealed class DefinitionLookup(string definitionFolder, string libraryFolder, Action<string>? onUsed = null)
{
    /// <summary>The definition's own folder.</summary>
    public string DefinitionFolder { get; } = definitionFolder;

    /// <summary>A board to take instead of the one the definition names, or null.</summary>
    public string? OtherBoard { get; init; }

    /// <summary>Reads a board file, with what every board shares (<c>base.yaml</c>) put before its own lists.</summary>
    public BoardDefinition Board(string name, Func<string, UserError> error)
    {
        if (OtherBoard is { } other) (name, error) = (other, problem => new UserError($"--board {other}: {problem}"));
        var board = (BoardDefinition)Read("boards", name, error, BoardShape(name));
        var shared = (BoardDefinition)ReadFile(Path.Combine(libraryFolder, "base.yaml"), SharedShape);
        return board with
        {
            Packages = [.. shared.Packages, .. board.Packages],
            InitrdDrivers = [.. shared.InitrdDrivers, .. board.InitrdDrivers],
            KernelArguments = [.. shared.KernelArguments, .. board.KernelArguments],
        };
    }

    /// <summary>Reads an engine file; null for <c>none</c>.</summary>
    public EngineDefinition? Engine(string name, Func<string, UserError> error) =>
        name == "none" ? null : (EngineDefinition)Read("engines", name, error, EngineShape(name));

    /// <summary>The absolute path of a folder.</summary>
    public string Folder(string path, Func<string, UserError> error)
    {
        foreach (var folder in new[] { DefinitionFolder, libraryFolder })
        {
            var candidate = Path.GetFullPath(Path.Combine(folder, path));
            if (Directory.Exists(candidate)) return Used(candidate);
            if (System.IO.File.Exists(candidate)) throw error($"{path} is a file; expected a folder");
        }
        throw error($"the folder {path} does not exist, neither beside the definition nor in {libraryFolder}");
    }

    /// <summary>The absolute path of a file.</summary>
    public string File(string path, Func<string, UserError> error)
    {
        foreach (var folder in new[] { DefinitionFolder, libraryFolder })
        {
            var candidate = Path.GetFullPath(Path.Combine(folder, path));
            if (System.IO.File.Exists(candidate)) return Used(candidate);
            if (Directory.Exists(candidate)) throw error($"{path} is a folder; expected a file");
        }
        throw error($"the file {path} does not exist, neither beside the definition nor in {libraryFolder}");
    }

    private object Read(string kind, string name, Func<string, UserError> error, Shape shape)
    {
        foreach (var folder in new[] { DefinitionFolder, libraryFolder })
        {
            var candidate = Path.Combine(folder, kind, $"{name}.yaml");
            if (System.IO.File.Exists(candidate)) return ReadFile(Used(candidate), shape);
        }
        var known = new[] { DefinitionFolder, libraryFolder }.Select(folder => Path.Combine(folder, kind)).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.yaml")).Select(Path.GetFileNameWithoutExtension).Distinct().Order(StringComparer.Ordinal);
        throw error($"there is no {kind}/{name}.yaml; expected one of {string.Join(", ", known)}");
    }

    private string Used(string path)
    {
        onUsed?.Invoke(path);
        return path;
    }

    private static object ReadFile(string path, Shape shape) => shape.Load(path);

    private static readonly Field[] SharedFields =
    [
        new("packages", DefinitionShapes.Packages, "Debian packages.", "[]"),
        new("kernelArguments", DefinitionShapes.KernelArguments, "Kernel arguments.", "[]"),
        new("initrdDrivers", DefinitionShapes.Words, "Kernel modules the initrd carries: names, or folders below /lib/modules/VERSION/kernel.", "[]"),
    ];

    private static readonly MappingShape SharedShape = new("a mapping with packages, kernelArguments and initrdDrivers", SharedFields,
        bag => new BoardDefinition { Name = "", Architecture = "", Packages = bag.List<string>("packages"), KernelArguments = bag.List<string>("kernelArguments"), InitrdDrivers = bag.List<string>("initrdDrivers") });

    private static MappingShape BoardShape(string name) => new("a mapping with architecture, boot and packages",
        [
            new("architecture", DefinitionShapes.Architecture, "Debian architecture.", null),
            new("boot", ValueShape.Choice(("systemd-boot", BootScheme.SystemdBoot), ("tryboot", BootScheme.Tryboot)), "How the machine chooses a slot.", null),
            new("archiveAreas", DefinitionShapes.Words, "Debian's archive areas beside main, e.g. non-free-firmware.", "[]"),
            new("backports", DefinitionShapes.PackagePatterns, "Packages taken from the suite's backports where those have them, e.g. linux-*.", "[]"),
            new("modulesExclude", DefinitionShapes.Words, "Folders below /lib/modules/VERSION/kernel left out of the root.", "[]"),
            .. SharedFields,
        ],
        bag => new BoardDefinition
        {
            Name = name,
            Architecture = bag.Get<string>("architecture"),
            Boot = bag.Get<BootScheme>("boot"),
            Packages = bag.List<string>("packages"),
            KernelArguments = bag.List<string>("kernelArguments"),
            ArchiveAreas = bag.List<string>("archiveAreas"),
            Backports = bag.List<string>("backports"),
            ModulesExclude = bag.List<string>("modulesExclude"),
            InitrdDrivers = bag.List<string>("initrdDrivers"),
        });

    private MappingShape EngineShape(string name) => new("a mapping with packages, overlays, components, services, persist and state",
        [
            new("packages", DefinitionShapes.Packages, "Debian packages.", "[]"),
            new("overlays", DefinitionShapes.Folders, "File trees laid over the root before the image's own.", "[]"),
            new("components", DefinitionShapes.Words, "Pinned components (components.lock.yaml).", "[]"),
            new("services", DefinitionShapes.Units, "Units started at boot.", "[]"),
            new("persist", DefinitionShapes.EtcPaths, "Paths below /etc kept on the data partition.", "[]"),
            new("state", DefinitionShapes.StatePaths, "Paths that go back with the version: below /var, or kept below /etc.", "[]"),
        ],
        bag => new EngineDefinition
        {
            Name = name,
            Packages = bag.List<string>("packages"),
            Overlays = bag.List<string>("overlays").Select((overlay, index) => Folder(overlay, problem => bag.ErrorAt("overlays", index, problem))).ToList(),
            Components = bag.List<string>("components"),
            ServicesEnable = bag.List<string>("services"),
            PersistedEtc = bag.List<string>("persist"),
            State = ImageShape.CreateState(bag, bag.List<string>("persist")),
        });
}
