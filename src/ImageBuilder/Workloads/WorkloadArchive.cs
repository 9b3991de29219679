using System.Formats.Tar;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>
/// Writes the payload of a workload release: the release document, then an OCI image layout with every image under its pinned
/// name. Equal inputs give equal bytes.
/// </summary>
internal static class WorkloadArchive
{
    /// <summary>The largest size that a header of this archive format can say.</summary>
    private const long LargestMember = (8L << 30) - 1;

    private static readonly JsonSerializerOptions AsWritten = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly WorkloadJson Json = new(new JsonSerializerOptions(WorkloadJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Writes the archive.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="release">The release.</param>
    /// <param name="images">The content of its images, found by the digests of their manifests.</param>
    /// <param name="date">Time of every member.</param>
    /// <param name="progress">Bytes written so far and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task WriteAsync(string path, WorkloadRelease release, IReadOnlyList<PlainImage> images, DateTimeOffset date, Action<long, long> progress, CancellationToken cancellationToken)
    {
        var document = JsonSerializer.SerializeToUtf8Bytes(release, Json.WorkloadRelease);
        if (document.Length > WorkloadReleaseReader.LargestDocument)
            throw new UserError($"The workload's objects take {ByteSize.Format(document.Length)}; {ByteSize.Format(WorkloadReleaseReader.LargestDocument)} is the most there may be.", "Put large data into an image instead of a ConfigMap.");
        var layers = images.SelectMany(image => image.Layers).DistinctBy(layer => layer.Digest).ToList();
        var total = layers.Sum(layer => new FileInfo(layer.File).Length);
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        await using var tar = new TarWriter(file, TarEntryFormat.Ustar, leaveOpen: true);
        await AddAsync(WorkloadRelease.MemberName, new MemoryStream(document));
        await AddAsync(WorkloadArchiveReader.Layout, new MemoryStream("""{"imageLayoutVersion":"1.0.0"}"""u8.ToArray()));
        await AddAsync(WorkloadArchiveReader.Index, new MemoryStream(Index(release, images)));
        var written = new HashSet<string>(StringComparer.Ordinal);
        long done = 0;
        foreach (var image in images)
        {
            if (written.Add(image.Digest)) await AddAsync(NameOf(image.Digest), new MemoryStream(image.Manifest));
            if (written.Add(image.ConfigDigest)) await AddAsync(NameOf(image.ConfigDigest), new MemoryStream(image.Config));
            foreach (var (digest, layer) in image.Layers.Where(layer => written.Add(layer.Digest)))
            {
                await AddAsync(NameOf(digest), File.OpenRead(layer));
                progress(done += new FileInfo(layer).Length, total);
            }
        }

        async Task AddAsync(string name, Stream content)
        {
            await using (content)
            {
                if (content.Length > LargestMember) throw new UserError($"A layer has {ByteSize.Format(content.Length)}; 8 GiB is the most a layer may have.", "Split it into several layers.");
                await tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = date, Mode = DurableFile.Readable }, cancellationToken);
            }
        }
    }

    private static byte[] Index(WorkloadRelease release, IReadOnlyList<PlainImage> images)
    {
        var manifests = new JsonArray();
        foreach (var image in release.Images)
        {
            var descriptor = images.First(plain => plain.Digest == image.Manifest).Descriptor();
            descriptor["annotations"] = new JsonObject(WorkloadArchiveReader.Names.Select(name => KeyValuePair.Create(name, (JsonNode?)image.Pinned)));
            manifests.Add((JsonNode)descriptor);
        }
        return JsonSerializer.SerializeToUtf8Bytes<JsonNode>(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = "application/vnd.oci.image.index.v1+json", ["manifests"] = manifests }, AsWritten);
    }

    private static string NameOf(string digest) => WorkloadArchiveReader.Blobs + OciDigest.HexOf(digest);
}
