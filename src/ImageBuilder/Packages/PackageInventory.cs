using System.Security.Cryptography;
using System.Text;

namespace Appliance.ImageBuilder.Packages;

/// <summary>The packages of a tree: dpkg's status joined with the archive's index, which knows the hashes of the .deb files.</summary>
internal sealed record PackageInventory(IReadOnlyList<DebianPackage> Packages)
{
    /// <summary>SHA-256 over names, versions, architectures and hashes: equal digests mean the same package files.</summary>
    public string Digest { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Concat(Packages.Select(p => $"{p.Name} {p.Version} {p.Architecture} {p.Sha256}\n")))));

    /// <summary>Reads <c>status</c> and <c>lists/*_Packages</c> from a folder.</summary>
    /// <exception cref="InvalidDataException">An installed package is not in the index.</exception>
    public static PackageInventory Read(string folder)
    {
        var hashes = new Dictionary<(string, string, string), string>();
        foreach (var list in Directory.EnumerateFiles(Path.Combine(folder, "lists"), "*_Packages"))
        {
            foreach (var paragraph in Paragraphs(list, "Package", "Version", "Architecture", "SHA256"))
                hashes[(paragraph["Package"], paragraph["Version"], paragraph["Architecture"])] = paragraph["SHA256"];
        }
        var packages = new List<DebianPackage>();
        foreach (var paragraph in Paragraphs(Path.Combine(folder, "status"), "Package", "Version", "Architecture", "Status", "Source", "Installed-Size"))
        {
            if (paragraph.GetValueOrDefault("Status") != "install ok installed") continue;
            var (name, version, architecture) = (paragraph["Package"], paragraph["Version"], paragraph["Architecture"]);
            if (!hashes.TryGetValue((name, version, architecture), out var sha256))
                throw new InvalidDataException($"{name} {version} ({architecture}) is installed but not in the archive's index");
            var source = paragraph.GetValueOrDefault("Source", name).Split(' ')[0];
            packages.Add(new DebianPackage(name, version, architecture, source, sha256, long.Parse(paragraph.GetValueOrDefault("Installed-Size", "0"))));
        }
        return new PackageInventory(packages.OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Architecture, StringComparer.Ordinal).ToList());
    }

    /// <summary>Paragraphs of a Debian control file (deb822), only the fields asked for.</summary>
    private static IEnumerable<Dictionary<string, string>> Paragraphs(string path, params string[] fields)
    {
        var current = new Dictionary<string, string>();
        foreach (var line in File.ReadLines(path))
        {
            if (line.Length == 0)
            {
                if (current.ContainsKey("Package")) yield return current;
                current = [];
                continue;
            }
            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            if (colon <= 0 || line[0] == ' ') continue;
            var name = line[..colon];
            if (fields.Contains(name)) current[name] = line[(colon + 2)..];
        }
        if (current.ContainsKey("Package")) yield return current;
    }
}
