using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>
/// An image with its layers unpacked to plain tar archives, and a manifest that says so. Its configuration stays byte for byte,
/// and that names the layers by the hashes of their plain content (<c>rootfs.diff_ids</c>): both manifests stand for the same.
/// </summary>
/// <param name="Source">Digest of the manifest it was made from.</param>
/// <param name="Manifest">The new manifest.</param>
/// <param name="Config">The configuration.</param>
/// <param name="Layers">The layers in order: digest and file.</param>
internal sealed record PlainImage(string Source, byte[] Manifest, byte[] Config, IReadOnlyList<(string Digest, string File)> Layers)
{
    private const string ManifestType = WorkloadArchiveReader.ManifestType, ConfigType = "application/vnd.oci.image.config.v1+json", LayerType = "application/vnd.oci.image.layer.v1.tar";
    private const string DockerManifestType = "application/vnd.docker.distribution.manifest.v2+json";
    private const int LargestDocument = 4 << 20, MostLayers = 127;

    /// <summary>Digest of the manifest.</summary>
    public string Digest => OciDigest.Of(Manifest);

    /// <summary>Digest of the configuration, which engines call the image's id.</summary>
    public string ConfigDigest => OciDigest.Of(Config);

    /// <summary>Unpacks an image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="layerFolder">Folder for the layers, by their hashes; those that are there are not unpacked again.</param>
    /// <param name="architecture">Debian architecture that it must be for.</param>
    /// <param name="onBytes">Gets the number of plain bytes with every piece.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It is of a kind that cannot be used, or damaged.</exception>
    public static async Task<PlainImage> UnpackAsync(StoredImage image, string layerFolder, string architecture, Action<long> onBytes, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = Document(await ReadAsync(image, ImageCopy.ManifestName, null, cancellationToken));
            var type = (string?)manifest["mediaType"] ?? ManifestType;
            if (type is not (ManifestType or DockerManifestType) || manifest["config"] is not JsonObject config || manifest["layers"] is not JsonArray layers)
                throw new InvalidDataException($"its manifest is of the kind {type}, which is no image of today");
            var configBytes = await ReadAsync(image, BlobName(config), (string?)config["digest"], cancellationToken);
            var facts = Document(configBytes);
            if ((string?)facts["os"] is { } system && system != "linux" || (string?)facts["architecture"] is { } built && built != architecture)
                throw new InvalidDataException($"it is for {facts["os"]}/{facts["architecture"]}, and the workload is for linux/{architecture}");
            var plain = (facts["rootfs"]?["diff_ids"] as JsonArray)?.Select(id => (string?)id ?? "").ToList() ?? [];
            if (plain.Count != layers.Count || plain.Count > MostLayers || !plain.TrueForAll(OciDigest.IsDigest)) throw new InvalidDataException("its configuration does not name its layers");
            var files = new List<(string, string)>();
            foreach (var (layer, digest) in layers.Zip(plain)) files.Add((digest, await UnpackLayerAsync(image, layer as JsonObject ?? [], digest, layerFolder, onBytes, cancellationToken)));
            return new PlainImage(image.Digest, NewManifest(configBytes, files), configBytes, files);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException or FormatException or FileNotFoundException or ZstdSharp.ZstdException)
        {
            throw new UserError($"The image {image.Name} cannot be used: {e.Message}.", "Build or fetch it again; it must be a container image for one platform with its layers.", e);
        }
    }

    private static async Task<string> UnpackLayerAsync(StoredImage image, JsonObject layer, string digest, string layerFolder, Action<long> onBytes, CancellationToken cancellationToken)
    {
        var file = Path.Combine(layerFolder, OciDigest.HexOf(digest));
        if (File.Exists(file)) return file;
        await using var packed = File.OpenRead(Path.Combine(image.Folder, BlobName(layer)));
        await using var content = await DecompressAsync(packed, cancellationToken);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var partial = file + ".partial";
        await using (var target = new FileStream(partial, FileMode.Create, FileAccess.Write))
        {
            var buffer = new byte[1 << 17];
            while (await content.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                hash.AppendData(buffer, 0, read);
                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                onBytes(read);
            }
        }
        if (OciDigest.OfHash(hash.GetHashAndReset()) != digest) throw new InvalidDataException($"the layer {BlobName(layer)} unpacks to something else than its configuration says");
        File.Move(partial, file, overwrite: true);
        return file;
    }

    /// <summary>The plain content, whatever the manifest calls it: the first bytes tell.</summary>
    private static async Task<Stream> DecompressAsync(FileStream packed, CancellationToken cancellationToken)
    {
        var magic = new byte[4];
        var length = await packed.ReadAtLeastAsync(magic, magic.Length, throwOnEndOfStream: false, cancellationToken);
        packed.Position = 0;
        return magic.AsSpan(0, length) switch
        {
            [0x1f, 0x8b, ..] => new GZipStream(packed, CompressionMode.Decompress),
            [0x28, 0xb5, 0x2f, 0xfd] => new ZstdSharp.DecompressionStream(packed),
            _ => packed,
        };
    }

    private static async Task<byte[]> ReadAsync(StoredImage image, string name, string? digest, CancellationToken cancellationToken)
    {
        var file = new FileInfo(Path.Combine(image.Folder, name));
        if (file.Length > LargestDocument) throw new InvalidDataException($"{name} is too large");
        var bytes = await File.ReadAllBytesAsync(file.FullName, cancellationToken);
        return digest is null || OciDigest.Of(bytes) == digest ? bytes : throw new InvalidDataException($"{name} is damaged");
    }

    private static JsonObject Document(byte[] bytes) => JsonNode.Parse(bytes) as JsonObject ?? throw new InvalidDataException("a document of it is no JSON object");

    private static string BlobName(JsonObject descriptor) =>
        (string?)descriptor["digest"] is { } digest && OciDigest.IsDigest(digest) ? OciDigest.HexOf(digest) : throw new InvalidDataException("a part of it has no SHA-256");

    private static byte[] NewManifest(byte[] config, IReadOnlyList<(string Digest, string File)> layers) => JsonSerializer.SerializeToUtf8Bytes<JsonNode>(new JsonObject
    {
        ["schemaVersion"] = 2,
        ["mediaType"] = ManifestType,
        ["config"] = Descriptor(ConfigType, OciDigest.Of(config), config.Length),
        ["layers"] = new JsonArray([.. layers.Select(layer => (JsonNode)Descriptor(LayerType, layer.Digest, new FileInfo(layer.File).Length))]),
    });

    /// <summary>How an OCI document refers to a blob.</summary>
    public static JsonObject Descriptor(string type, string digest, long size) => new() { ["mediaType"] = type, ["digest"] = digest, ["size"] = size };

    /// <summary>How an OCI document refers to this image.</summary>
    public JsonObject Descriptor() => Descriptor(ManifestType, Digest, Manifest.Length);
}
