using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>Reads the payload of a workload release.</summary>
public static class WorkloadArchiveReader
{
    /// <summary>Members of an OCI image layout.</summary>
    internal const string Blobs = "blobs/sha256/", Layout = "oci-layout", Index = "index.json";

    internal const string ManifestType = "application/vnd.oci.image.manifest.v1+json";

    /// <summary>By what engines find an image in an archive: skopeo and podman by the first, containerd by the second.</summary>
    internal static readonly string[] Names = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];

    private const int LargestDocument = 4 << 20, MostMembers = 30_000;

    /// <summary>Reads the release at the front of a payload, and nothing else of it.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public static Task<WorkloadRelease> ReadReleaseAsync(Stream payload, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        await using var tar = new TarReader(payload, leaveOpen: true);
        return await ReadReleaseAsync(tar, cancellationToken);
    });

    /// <summary>Reads a payload to its end: every blob is what its name says, and every image of the release is there whole.</summary>
    /// <exception cref="InvalidDataException">It is not so; the message says what is wrong.</exception>
    public static Task<WorkloadRelease> VerifyAsync(Stream payload, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        await using var tar = new TarReader(payload, leaveOpen: true);
        var release = await ReadReleaseAsync(tar, cancellationToken);
        var wanted = release.Images.SelectMany(image => new[] { image.Manifest, image.Config }).ToHashSet(StringComparer.Ordinal);
        var documents = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        var blobs = new HashSet<string>(StringComparer.Ordinal);
        JsonNode? index = null;
        while (await tar.GetNextEntryAsync(cancellationToken: cancellationToken) is { } entry)
        {
            if (entry.Name.StartsWith(Blobs, StringComparison.Ordinal))
            {
                var digest = "sha256:" + entry.Name[Blobs.Length..];
                var bytes = wanted.Contains(digest) ? await ReadAsync(entry, cancellationToken) : null;
                var hash = bytes is not null ? SHA256.HashData(bytes) : await SHA256.HashDataAsync(entry.DataStream ?? Stream.Null, cancellationToken);
                if (OciDigest.OfHash(hash) != digest) throw new InvalidDataException($"{entry.Name} is damaged");
                if (!blobs.Add(digest) || blobs.Count > MostMembers) throw new InvalidDataException("it has a blob twice, or too many");
                if (bytes is not null) documents[digest] = JsonNode.Parse(bytes) ?? throw new InvalidDataException($"{entry.Name} is empty");
            }
            else if (entry.Name == Index) index = JsonNode.Parse(await ReadAsync(entry, cancellationToken));
            else if (entry.Name != Layout) throw new InvalidDataException($"it has a member {entry.Name}, which does not belong there");
        }
        var entries = (index?["manifests"] as JsonArray)?.ToList() ?? [];
        // Engines take all that the index names, by names of their own choice.
        if (entries.Count != release.Images.Count) throw new InvalidDataException($"its index names {entries.Count} images, and it has {release.Images.Count}");
        foreach (var image in release.Images) Verify(image, entries, documents, blobs);
        return release;
    });

    private static void Verify(WorkloadImage image, List<JsonNode?> entries, Dictionary<string, JsonNode> documents, HashSet<string> blobs)
    {
        if (!documents.TryGetValue(image.Manifest, out var manifest) || !documents.TryGetValue(image.Config, out var config)) throw new InvalidDataException($"the image {image.Reference} is not in it");
        if ((string?)manifest["config"]?["digest"] != image.Config) throw new InvalidDataException($"the manifest of the image {image.Reference} names another configuration");
        var layers = Texts(manifest["layers"] as JsonArray, layer => layer?["digest"]);
        if (!layers.SequenceEqual(Texts(config["rootfs"]?["diff_ids"] as JsonArray, layer => layer))) throw new InvalidDataException($"the layers of the image {image.Reference} are not those of its configuration");
        if (layers.Find(layer => !blobs.Contains(layer)) is { } missing) throw new InvalidDataException($"the layer {missing} of the image {image.Reference} is missing");
        if (!entries.Exists(entry => (string?)entry?["digest"] == image.Manifest && (string?)entry["mediaType"] == ManifestType && entry["annotations"] is JsonObject { Count: 2 } names && Names.All(name => (string?)names[name] == image.Pinned)))
            throw new InvalidDataException($"its index names another image {image.Pinned}, or none");
    }

    private static List<string> Texts(JsonArray? list, Func<JsonNode?, JsonNode?> choose) => (list ?? []).Select(item => (string?)choose(item) ?? "").ToList();

    private static async Task<WorkloadRelease> ReadReleaseAsync(TarReader tar, CancellationToken cancellationToken)
    {
        var first = await tar.GetNextEntryAsync(cancellationToken: cancellationToken);
        if (first?.Name != WorkloadRelease.MemberName || first.Length > WorkloadReleaseReader.LargestDocument) throw new InvalidDataException($"it does not begin with {WorkloadRelease.MemberName}");
        var bytes = new byte[first.Length];
        await (first.DataStream ?? Stream.Null).ReadExactlyAsync(bytes, cancellationToken);
        return WorkloadReleaseReader.Parse(bytes);
    }

    private static async Task<byte[]> ReadAsync(TarEntry entry, CancellationToken cancellationToken)
    {
        if (entry.Length > LargestDocument) throw new InvalidDataException($"{entry.Name} is too large");
        var bytes = new byte[entry.Length];
        await (entry.DataStream ?? Stream.Null).ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    private static async Task<T> GuardAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        // TarReader's and JsonNode's own words for what makes no sense are of several kinds.
        catch (Exception e) when (e is EndOfStreamException or JsonException or FormatException or ArgumentException or NotSupportedException or InvalidOperationException or OverflowException)
        {
            throw new InvalidDataException($"it cannot be read: {e.Message}", e);
        }
    }
}
