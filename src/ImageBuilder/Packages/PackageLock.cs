using System.Text;
using Appliance.Core;
using Appliance.Core.Yaml;
using YamlDotNet.RepresentationModel;

namespace Appliance.ImageBuilder.Packages;

/// <summary>
/// <c>appliance.lock.yaml</c>: the exact package files of an image, per architecture and tree (<c>base</c> is the root,
/// <c>tools</c> what it was built with). Every build writes it; <c>--locked</c> compares instead.
/// </summary>
internal static class PackageLock
{
    private const string Header = "# Written by `appliance build`: the exact Debian packages of the image and of the tools that built it.\n# Commit it, and build with --locked to refuse anything else.\n";
    private const int ShownDifferences = 10;

    /// <summary>Where the lock of a definition is: <c>NAME.lock.yaml</c> beside <c>NAME.yaml</c>.</summary>
    public static string PathFor(string definitionPath) => Path.ChangeExtension(Path.GetFullPath(definitionPath), ".lock.yaml");

    /// <summary>Refuses an inventory that differs from the lock.</summary>
    /// <exception cref="UserError">There is no lock, or a package differs; the message lists the first differences.</exception>
    public static void Require(string path, string architecture, string tree, PackageInventory inventory)
    {
        if (!File.Exists(path)) throw new UserError($"--locked needs {path}, which does not exist.", "Build once without --locked; that writes it.");
        var locked = Read(path).GetValueOrDefault((architecture, tree))
            ?? throw new UserError($"{path} locks no packages for {architecture}/{tree}.", "Build once without --locked; that adds them.");
        var actual = inventory.Packages.Select(Entry).ToHashSet();
        var differences = actual.Except(locked).Select(entry => $"+ {Short(entry)}").Concat(locked.Except(actual).Select(entry => $"- {Short(entry)}"))
            .OrderBy(line => line[2..], StringComparer.Ordinal).ToList();
        if (differences.Count == 0) return;
        var shown = string.Concat(differences.Take(ShownDifferences).Select(line => $"\n    {line}"));
        var more = differences.Count > ShownDifferences ? $"\n    and {differences.Count - ShownDifferences} more" : "";
        throw new UserError(
            $"The packages differ from {path} ({tree}; + is in the archive, - is in the lock):{shown}{more}",
            "Build without --locked to take the archive's, or name an archive that still has the locked ones with --mirror.");
    }

    /// <summary>Writes the packages of one tree and leaves the others as they are.</summary>
    public static void Write(string path, string architecture, IReadOnlyDictionary<string, PackageInventory> trees)
    {
        var all = File.Exists(path) ? Read(path) : [];
        foreach (var (tree, inventory) in trees) all[(architecture, tree)] = inventory.Packages.Select(Entry).ToList();
        var text = new StringBuilder(Header);
        foreach (var group in all.OrderBy(pair => pair.Key.Architecture, StringComparer.Ordinal).ThenBy(pair => pair.Key.Tree, StringComparer.Ordinal).GroupBy(pair => pair.Key.Architecture))
        {
            text.Append($"{group.Key}:\n");
            foreach (var (key, packages) in group)
            {
                text.Append($"  {key.Tree}:\n");
                foreach (var package in packages) text.Append($"    - {package}\n");
            }
        }
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(bytes)) return;
        DurableFile.Write(path, bytes, DurableFile.Readable);
    }

    private static string Entry(DebianPackage package) => $"{package.Name} {package.Version} {package.Architecture} {package.Sha256}";

    private static string Short(string entry) => string.Join(' ', entry.Split(' ')[..^1]);

    private static Dictionary<(string Architecture, string Tree), List<string>> Read(string path)
    {
        var source = YamlSource.Load(path, "a lock that appliance build wrote");
        var all = new Dictionary<(string, string), List<string>>();
        foreach (var (architecture, trees) in Mapping(source.Root))
        {
            foreach (var (tree, packages) in Mapping(trees))
            {
                if (packages is not YamlSequenceNode list) throw source.Unexpected(packages, "", "a list of packages");
                all[(Text(architecture), Text(tree))] = list.Select(entry =>
                    Text(entry) is { } text && text.Split(' ').Length == 4 ? text : throw source.Unexpected(entry, "", "\"name version architecture sha256\"")).ToList();
            }
        }
        return all;

        IEnumerable<KeyValuePair<YamlNode, YamlNode>> Mapping(YamlNode node) => node is YamlMappingNode mapping ? mapping : throw source.Unexpected(node, "", "a mapping");
        string Text(YamlNode node) => node is YamlScalarNode { Value: { } text } ? text : throw source.Unexpected(node, "", "a text");
    }
}
