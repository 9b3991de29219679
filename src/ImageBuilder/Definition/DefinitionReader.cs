using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Yaml;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Reads definition files; every mistake in one is a <see cref="UserError"/> with file, line and column.</summary>
internal static class DefinitionReader
{
    /// <summary>Reads an image definition with the board, engines and overlays it names.</summary>
    /// <param name="path">The definition file.</param>
    /// <param name="libraryFolder">The product's <c>image/</c> folder, with boards and engines.</param>
    /// <param name="board">A board to take instead of the one it names, or null.</param>
    /// <param name="onUsed">Told of every file and folder that the definition names.</param>
    public static ImageDefinition Read(string path, string libraryFolder, string? board = null, Action<string>? onUsed = null)
    {
        var shape = ImageShape.For(new DefinitionLookup(Path.GetDirectoryName(Path.GetFullPath(path))!, libraryFolder, onUsed) { OtherBoard = board });
        return (ImageDefinition)shape.Load(path, "Name a definition file, e.g. image/appliance.yaml.");
    }

    /// <summary>Reads the pinned components.</summary>
    public static IReadOnlyList<ComponentPin> ReadComponents(string path) => (IReadOnlyList<ComponentPin>)ComponentsShape.Load(path);

    private static readonly MappingShape ComponentShape = new("a component with name, version, architecture, url, sha256 and path",
        [
            new("name", new TextShape("a component name", "[a-z0-9][a-z0-9-]*"), "Component name.", null),
            new("version", new TextShape("a version", @"[!-~]+"), "Upstream version.", null),
            new("architecture", DefinitionShapes.Architecture, "Debian architecture.", null),
            new("url", new TextShape("an https URL", @"https?://[!-~]+", text => Uri.TryCreate(text, UriKind.Absolute, out _)), "Where it is fetched.", null),
            new("sha256", new TextShape("64 lower-case hex digits", "[0-9a-f]{64}"), "SHA-256 of the file.", null),
            new("size", new ValueShape("a number of bytes", text => long.TryParse(text, out var size) && size > 0 ? size : null, () => new JsonObject { ["type"] = "integer" }), "Size in bytes.", ""),
            new("path", new TextShape("an absolute path", @"/[!-~]+"), "Where it goes in the root.", null),
            new("executable", ValueShape.Boolean(), "Installs it executable.", "false"),
            new("required", ValueShape.Boolean(), "False leaves it out with a warning when it cannot be had.", "true"),
        ],
        bag => new ComponentPin
        {
            Name = bag.Get<string>("name"),
            Version = bag.Get<string>("version"),
            Architecture = bag.Get<string>("architecture"),
            Url = new Uri(bag.Get<string>("url")),
            Sha256 = bag.Get<string>("sha256"),
            Size = bag.Get<long?>("size", null),
            InstallPath = bag.Get<string>("path"),
            Executable = bag.Get("executable", false),
            Required = bag.Get("required", true),
        });

    private static readonly MappingShape ComponentsShape = new("a mapping with components",
        [new("components", new ListShape<ComponentPin>(ComponentShape, "a list of components"), "Pinned third-party artefacts.", null)],
        bag => bag.List<ComponentPin>("components"));
}
