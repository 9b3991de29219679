using System.Text;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Core.Yaml;
using YamlDotNet.RepresentationModel;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>
/// <c>workload.lock.yaml</c>: which image a name stood for when the workload was built first, per architecture, so that a tag
/// that moves changes nothing by itself.
/// </summary>
internal sealed class ImageLock
{
    private const string FileName = "workload.lock.yaml";
    private const string Header = "# Written by `appliance bundle --workload`: the images that the tags stood for.\n# Commit it; build with --refresh to take what they stand for now, with --locked to refuse any other.\n";
    private readonly string _path;
    private readonly SortedDictionary<(string Architecture, string Image), string> _digests = [];

    private ImageLock(string path) => _path = path;

    /// <summary>Path of the file.</summary>
    public string Path => _path;

    /// <summary>Reads the lock of a workload's folder; empty when there is none yet.</summary>
    /// <exception cref="UserError">It is not one that this program wrote.</exception>
    public static ImageLock Read(string folder)
    {
        var path = System.IO.Path.Combine(folder, FileName);
        var images = new ImageLock(path);
        if (!File.Exists(path)) return images;
        var source = YamlSource.Load(path, "a lock that appliance bundle wrote");
        foreach (var (architecture, list) in Mapping(source, source.Root))
            foreach (var (image, digest) in Mapping(source, list))
                images._digests[(Text(source, architecture), Text(source, image))] = Text(source, digest) is { } text && OciDigest.IsDigest(text) ? text : throw source.Unexpected(digest, "", "a digest: sha256: and 64 hex digits");
        return images;
    }

    /// <summary>The digest that an image is locked to, or null.</summary>
    public string? Find(string architecture, ImageReference image) => _digests.GetValueOrDefault((architecture, image.ToString()));

    /// <summary>Writes the images of an architecture and forgets those of it that are not used any more.</summary>
    public void Write(string architecture, IEnumerable<(ImageReference Image, string Digest)> images)
    {
        foreach (var old in _digests.Keys.Where(key => key.Architecture == architecture).ToList()) _digests.Remove(old);
        foreach (var (image, digest) in images) _digests[(architecture, image.ToString())] = digest;
        var text = new StringBuilder(Header);
        foreach (var group in _digests.GroupBy(entry => entry.Key.Architecture))
        {
            text.Append($"{group.Key}:\n");
            foreach (var (key, digest) in group) text.Append($"  {key.Image}: {digest}\n");
        }
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        if (File.Exists(_path) && File.ReadAllBytes(_path).AsSpan().SequenceEqual(bytes)) return;
        DurableFile.Write(_path, bytes, DurableFile.Readable);
    }

    private static YamlMappingNode Mapping(YamlSource source, YamlNode node) => node is YamlMappingNode mapping ? mapping : throw source.Unexpected(node, "", "a mapping");

    private static string Text(YamlSource source, YamlNode node) => node is YamlScalarNode { Value: { } text } ? text : throw source.Unexpected(node, "", "a text");
}
