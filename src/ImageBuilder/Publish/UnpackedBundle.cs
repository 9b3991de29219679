using Appliance.Core;
using Appliance.Core.Bundles;

namespace Appliance.ImageBuilder.Publish;

/// <summary>A bundle whose payloads are plain files.</summary>
internal sealed record UnpackedBundle(BundleManifest Manifest, IReadOnlyDictionary<string, string> Files)
{
    /// <summary>Unpacks a bundle, verifying every frame.</summary>
    /// <param name="path">The bundle.</param>
    /// <param name="folder">Folder for the payloads; made when it is not there.</param>
    /// <param name="progress">Plain bytes so far and in all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">There is no bundle, or it is damaged.</exception>
    public static async Task<UnpackedBundle> UnpackAsync(string path, string folder, Action<long, long>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        await using var stream = Open(path);
        await using var reader = await BundleReader.OpenAsync(stream, path, cancellationToken);
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        var total = reader.Manifest.Payloads.Sum(payload => payload.Size);
        long done = 0;
        foreach (var payload in reader.Manifest.Payloads)
        {
            var file = Path.Combine(folder, payload.Name);
            await using var target = new FileStream(file, FileMode.Create, FileAccess.Write);
            await reader.ReadNextAsync(async plain =>
            {
                await target.WriteAsync(plain, cancellationToken);
                progress?.Invoke(done += plain.Length, total);
            }, cancellationToken);
            files.Add(payload.Name, file);
        }
        return new UnpackedBundle(reader.Manifest, files);
    }

    /// <summary>Where each payload's first frame begins in a bundle.</summary>
    public static async Task<IReadOnlyDictionary<string, long>> OffsetsAsync(string path, CancellationToken cancellationToken)
    {
        await using var stream = Open(path);
        var offsets = new Dictionary<string, long>(StringComparer.Ordinal);
        var block = new byte[TarHeader.BlockSize];
        while (true)
        {
            await stream.ReadExactlyAsync(block, cancellationToken);
            if (TarHeader.Parse(block) is not { } header) return offsets;
            if (BundleWriter.PayloadName(header.Name) is { } payload) offsets[payload] = stream.Position;
            stream.Seek(header.PaddedSize, SeekOrigin.Current);
        }
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"The bundle {path} cannot be read: {e.Message}", "Name the .bundle file in the folder that a build made.", e);
        }
    }
}
