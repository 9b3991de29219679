using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using ZstdSharp;

namespace Appliance.Core.Bundles;

/// <summary>
/// Packs a bundle: a POSIX tar archive with <c>manifest.json</c> first and the payloads after it, each a sequence of
/// independent zstd frames. Equal inputs give equal bytes, whatever the number of cores.
/// </summary>
public static class BundleWriter
{
    /// <summary>Name of the manifest's archive member. A signature will follow it as <c>manifest.sig</c>.</summary>
    public const string ManifestName = "manifest.json";

    internal const int FrameSize = 4 << 20;
    private const int CompressionLevel = 1;

    /// <summary>Writes a bundle beside <paramref name="path"/> and gives it its name when it is whole.</summary>
    /// <param name="header">What the bundle is.</param>
    /// <param name="files">The payloads, in order.</param>
    /// <param name="path">The bundle; replaced when it exists.</param>
    /// <param name="progress">Plain bytes packed so far, and in all.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left behind.</param>
    public static async Task WriteAsync(BundleHeader header, IReadOnlyList<BundlePayloadFile> files, string path, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        var temporary = new List<string>();
        try
        {
            var total = files.Sum(file => new FileInfo(file.Path).Length);
            long before = 0;
            var payloads = new List<BundlePayload>();
            foreach (var file in files)
            {
                var packed = $"{path}.{file.Name}.partial";
                temporary.Add(packed);
                var start = before;
                payloads.Add(await CompressAsync(file, packed, done => progress?.Invoke(start + done, total), cancellationToken));
                before += payloads[^1].Size;
            }

            var manifest = new BundleManifest { Format = BundleManifest.CurrentFormat, Header = header, Payloads = payloads };
            var archive = $"{path}.partial";
            temporary.Add(archive);
            await using (var output = new FileStream(archive, FileMode.Create, FileAccess.Write))
            {
                await using (var tar = new TarWriter(output, TarEntryFormat.Ustar, leaveOpen: true))
                {
                    await AddAsync(tar, ManifestName, new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(manifest, BundleJson.Default.BundleManifest)), header, cancellationToken);
                    foreach (var (file, packed) in files.Zip(temporary))
                        await AddAsync(tar, MemberName(file.Name), File.OpenRead(packed), header, cancellationToken);
                }
                output.Flush(flushToDisk: true);
            }
            File.Move(archive, path, overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        finally
        {
            temporary.ForEach(File.Delete);
        }
    }

    internal static string MemberName(string payload) => $"payloads/{payload}.zst";

    private static async Task AddAsync(TarWriter tar, string name, Stream content, BundleHeader header, CancellationToken cancellationToken)
    {
        await using (content)
        {
            await tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, name)
            {
                DataStream = content,
                ModificationTime = header.SourceDate,
                Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
            }, cancellationToken);
        }
    }

    /// <summary>Compresses frame by frame on all cores; memory is bounded by a few frames for each.</summary>
    private static async Task<BundlePayload> CompressAsync(BundlePayloadFile file, string packed, Action<long> progress, CancellationToken cancellationToken)
    {
        using var source = File.OpenHandle(file.Path, options: FileOptions.SequentialScan);
        var size = RandomAccess.GetLength(source);
        await using var target = new FileStream(packed, FileMode.Create, FileAccess.Write);
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var frames = new List<BundleFrame>();
        var running = new Queue<Task<(byte[] Plain, int PlainSize, byte[] Packed, string Sha256)>>();
        long read = 0, done = 0;
        while (done < size)
        {
            while (read < size && running.Count < Environment.ProcessorCount * 2)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var plain = new byte[FrameSize];
                var length = await ReadFullAsync(source, plain, read, cancellationToken);
                read += length;
                running.Enqueue(Task.Run(() => Pack(plain, length), cancellationToken));
            }
            var frame = await running.Dequeue();
            whole.AppendData(frame.Plain, 0, frame.PlainSize);
            await target.WriteAsync(frame.Packed, cancellationToken);
            frames.Add(new BundleFrame(frame.Packed.Length, frame.Sha256));
            done += frame.PlainSize;
            progress(done);
        }
        return new BundlePayload { Name = file.Name, Kind = file.Kind, Size = size, Sha256 = Convert.ToHexStringLower(whole.GetHashAndReset()), FrameSize = FrameSize, Frames = frames };
    }

    private static (byte[], int, byte[], string) Pack(byte[] plain, int length)
    {
        using var compressor = new Compressor(CompressionLevel);
        var span = plain.AsSpan(0, length);
        return (plain, length, compressor.Wrap(span).ToArray(), Convert.ToHexStringLower(SHA256.HashData(span)));
    }

    private static async Task<int> ReadFullAsync(Microsoft.Win32.SafeHandles.SafeFileHandle source, byte[] buffer, long offset, CancellationToken cancellationToken)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = await RandomAccess.ReadAsync(source, buffer.AsMemory(filled), offset + filled, cancellationToken);
            if (read == 0) break;
            filled += read;
        }
        return filled;
    }
}
