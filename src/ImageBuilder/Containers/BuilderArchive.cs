using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;

namespace Appliance.ImageBuilder.Containers;

/// <summary>
/// An image in a file as <c>docker load</c> and <c>podman load</c> take it (docker-archive): a tar with manifest.json, the
/// configuration and the layers. Written with the small ones first, so that they are read without reading the rest.
/// </summary>
/// <param name="ImageId">Digest of the configuration, which engines call the image's id.</param>
/// <param name="Name">The image's name.</param>
internal sealed record BuilderArchive(string ImageId, string Name)
{
    private const string ManifestName = "manifest.json";
    private const long LargestManifest = 1 << 20;
    private const int BufferSize = 1 << 20;

    /// <summary>Writes an image.</summary>
    /// <param name="path">The file; gzip when it ends in .gz.</param>
    /// <param name="name">Name and tag.</param>
    /// <param name="config">Its configuration without the layers.</param>
    /// <param name="layers">Plain tar files, the lowest first.</param>
    /// <param name="onBytes">Gets bytes done and their total.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<BuilderArchive> WriteAsync(string path, string name, JsonObject config, IReadOnlyList<string> layers, Action<long, long> onBytes, CancellationToken cancellationToken)
    {
        var total = layers.Sum(layer => new FileInfo(layer).Length) * 2;
        long done = 0;
        var digests = new List<string>();
        foreach (var layer in layers) digests.Add(await DigestAsync(layer, bytes => onBytes(done += bytes, total), cancellationToken));
        config["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray([.. digests.Select(digest => (JsonNode)$"sha256:{digest}")]) };
        var configBytes = JsonSerializer.SerializeToUtf8Bytes(config);
        var id = Convert.ToHexStringLower(SHA256.HashData(configBytes));
        var manifest = new JsonArray(new JsonObject
        {
            ["Config"] = $"{id}.json",
            ["RepoTags"] = new JsonArray(name),
            ["Layers"] = new JsonArray([.. digests.Select(digest => (JsonNode)$"{digest}.tar")]),
        });

        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        await using Stream stream = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        await using var writer = new TarWriter(stream, TarEntryFormat.Ustar);
        await writer.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, ManifestName) { DataStream = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(manifest)) }, cancellationToken);
        await writer.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, $"{id}.json") { DataStream = new MemoryStream(configBytes) }, cancellationToken);
        foreach (var (layer, digest) in layers.Zip(digests))
        {
            await using var content = new CountedStream(File.OpenRead(layer), bytes => onBytes(done += bytes, total));
            await writer.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, $"{digest}.tar") { DataStream = content }, cancellationToken);
        }
        return new BuilderArchive($"sha256:{id}", name);
    }

    /// <summary>Reads which image a file holds.</summary>
    /// <exception cref="UserError">It is no such file.</exception>
    public static async Task<BuilderArchive> ReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = File.OpenRead(path);
            var magic = new byte[2];
            var isGzip = await file.ReadAtLeastAsync(magic, 2, throwOnEndOfStream: false, cancellationToken) == 2 && magic is [0x1f, 0x8b];
            file.Position = 0;
            await using Stream stream = isGzip ? new GZipStream(file, CompressionMode.Decompress) : file;
            await using var reader = new TarReader(stream);
            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
            {
                if (entry.Name != ManifestName) continue;
                if (entry.Length > LargestManifest || entry.DataStream is null) break;
                var manifest = (await JsonNode.ParseAsync(entry.DataStream, cancellationToken: cancellationToken))?[0];
                var config = (string?)manifest?["Config"] ?? throw new InvalidDataException("its manifest names no configuration");
                // docker save names it HEX.json or blobs/sha256/HEX.
                return new BuilderArchive($"sha256:{Path.GetFileNameWithoutExtension(config)}", (string?)manifest!["RepoTags"]?[0] ?? "");
            }
            throw new InvalidDataException("it has no manifest.json");
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException or IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            throw new UserError($"{path} is no container image: {e.Message}", "Make one on a Debian machine: out/bin/appliance builder-image builder.tar.gz", e);
        }
    }

    private static async Task<string> DigestAsync(string path, Action<int> onBytes, CancellationToken cancellationToken)
    {
        await using var content = new CountedStream(File.OpenRead(path), onBytes);
        var buffer = new byte[BufferSize];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int read;
        while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0) hash.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
