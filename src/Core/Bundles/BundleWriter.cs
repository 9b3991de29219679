using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;

namespace Appliance.Core.Bundles;

/// <summary>
/// Packs a bundle: a POSIX tar archive with <c>manifest.json</c> first and the payloads after it, each a sequence of
/// independent zstd frames. Equal inputs give equal bytes, whatever the number of cores.
/// </summary>
public static class BundleWriter
{
    /// <summary>Name of the manifest's archive member.</summary>
    public const string ManifestName = "manifest.json";

    private const string Folder = "payloads/", Suffix = ".zst";

    /// <summary>Compresses a payload into a file of frames.</summary>
    /// <param name="file">The payload.</param>
    /// <param name="packed">File for the frames; replaced when it exists.</param>
    /// <param name="progress">Plain bytes packed so far, and in all.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left behind.</param>
    /// <param name="level">zstd's compression level, 1 to 22.</param>
    public static async Task<PackedPayload> PackAsync(BundlePayloadFile file, string packed, Action<long, long>? progress, CancellationToken cancellationToken, int level = FrameCompressor.BuildLevel)
    {
        try
        {
            using var source = File.OpenHandle(file.Path, options: FileOptions.SequentialScan);
            await using var target = new FileStream(packed, FileMode.Create, FileAccess.Write);
            using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var size = RandomAccess.GetLength(source);
            long done = 0;
            var frames = await FrameCompressor.CompressAsync(source, 0, size, target, plain =>
            {
                whole.AppendData(plain.Span);
                progress?.Invoke(done += plain.Length, size);
            }, cancellationToken, level);
            var payload = new BundlePayload { Name = file.Name, Kind = file.Kind, Size = size, Sha256 = Convert.ToHexStringLower(whole.GetHashAndReset()), FrameSize = FrameCompressor.FrameSize, Frames = frames };
            return new PackedPayload(payload, packed);
        }
        catch
        {
            File.Delete(packed);
            throw;
        }
    }

    /// <summary>Writes a bundle beside <paramref name="path"/> and gives it its name when it is whole.</summary>
    /// <param name="header">What the bundle is.</param>
    /// <param name="payloads">The packed payloads, in order.</param>
    /// <param name="path">The bundle; replaced when it exists.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left behind.</param>
    public static async Task WriteAsync(BundleHeader header, IReadOnlyList<PackedPayload> payloads, string path, CancellationToken cancellationToken)
    {
        var manifest = new BundleManifest { Format = BundleManifest.CurrentFormat, Header = header, Payloads = payloads.Select(packed => packed.Payload).ToList() };
        var partial = $"{path}.partial";
        try
        {
            await using (var output = new FileStream(partial, FileMode.Create, FileAccess.Write))
            {
                await using (var tar = new TarWriter(output, TarEntryFormat.Ustar, leaveOpen: true))
                {
                    await AddAsync(tar, ManifestName, new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(manifest, BundleJson.Default.BundleManifest)), header, cancellationToken);
                    foreach (var packed in payloads) await AddAsync(tar, MemberName(packed.Payload.Name), File.OpenRead(packed.Path), header, cancellationToken);
                }
                output.Flush(flushToDisk: true);
            }
            File.Move(partial, path, overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>Name of the payload that an archive member holds, or null for other members.</summary>
    public static string? PayloadName(string member) => member.StartsWith(Folder, StringComparison.Ordinal) && member.EndsWith(Suffix, StringComparison.Ordinal) ? member[Folder.Length..^Suffix.Length] : null;

    internal static string MemberName(string payload) => $"{Folder}{payload}{Suffix}";

    private static async Task AddAsync(TarWriter tar, string name, Stream content, BundleHeader header, CancellationToken cancellationToken)
    {
        await using (content)
        {
            await tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, name)
            {
                DataStream = content,
                ModificationTime = header.SourceDate,
                Mode = DurableFile.Readable,
            }, cancellationToken);
        }
    }
}
