using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>
/// Fetches cosign's signatures of images by skopeo: an image of its own beside the signed one, with the tag <c>sha256-HEX.sig</c>
/// (sigstore/cosign, SIGNATURE_SPEC.md). They are kept with the image. What they are worth is for others to say.
/// </summary>
/// <param name="folder">Folder of the image store.</param>
/// <param name="onLine">Gets skopeo's lines.</param>
internal sealed class SignatureStore(string folder, Action<string> onLine)
{
    private const string KeptName = "signatures.json", Annotation = "dev.cosignproject.cosign/signature";
    private const int LargestDocument = 4 << 20;
    private readonly ImageCopy _copy = new(folder, onLine);

    /// <summary>How registries say that there is no such image (OCI distribution specification, error codes), and skopeo of them.</summary>
    private static readonly string[] Missing = ["manifest unknown", "name unknown", "not found", "404"];

    /// <summary>The signatures of an image, and of the index that names it.</summary>
    /// <param name="image">Its name.</param>
    /// <param name="stored">Where it is.</param>
    /// <param name="isEnough">Whether what is kept will do; else the registry is asked again.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>None in it when the registry has none.</returns>
    /// <exception cref="UserError">The registry does not answer.</exception>
    public async Task<ImageProof> FetchAsync(ImageReference image, StoredImage stored, Func<ImageProof, bool> isEnough, CancellationToken cancellationToken)
    {
        var kept = Path.Combine(stored.Folder, KeptName);
        if (Read(kept) is { } known && isEnough(known)) return known;
        var proof = new ImageProof
        {
            Manifest = await File.ReadAllBytesAsync(Path.Combine(stored.Folder, ImageCopy.ManifestName), cancellationToken),
            Signatures = await SignaturesAsync(image, stored.Digest, cancellationToken),
        };
        // cosign signs what a tag stands for: of an image for several platforms, the index.
        var index = await InFolderAsync($"docker://{image.Repository}{(image.Digest is null ? $":{image.Tag}" : $"@{image.Digest}")}", ["--multi-arch", "index-only"], async path => await ReadAsync(Path.Combine(path, ImageCopy.ManifestName), cancellationToken), cancellationToken);
        if (index is not null && IsIndexOf(index, stored.Digest)) proof = proof with { Index = index, Signatures = [.. proof.Signatures, .. await SignaturesAsync(image, OciDigest.Of(index), cancellationToken)] };
        DurableFile.Write(kept, JsonSerializer.SerializeToUtf8Bytes(proof, WorkloadJson.Default.ImageProof), DurableFile.Readable);
        return proof;
    }

    private static bool IsIndexOf(byte[] document, string digest)
    {
        try
        {
            return ImageProof.IsIndexOf(document, digest);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static ImageProof? Read(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), WorkloadJson.Default.ImageProof) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task<IReadOnlyList<ImageSignature>> SignaturesAsync(ImageReference image, string digest, CancellationToken cancellationToken) =>
        await InFolderAsync($"docker://{image.Repository}:sha256-{OciDigest.HexOf(digest)}.sig", [], async path =>
        {
            var found = new List<ImageSignature>();
            var manifest = JsonNode.Parse(await ReadAsync(Path.Combine(path, ImageCopy.ManifestName), cancellationToken));
            foreach (var layer in manifest?["layers"] as JsonArray ?? [])
            {
                if ((string?)layer?["annotations"]?[Annotation] is not { } signature || (string?)layer["digest"] is not { } blob || !OciDigest.IsDigest(blob)) continue;
                found.Add(new ImageSignature { Payload = await ReadAsync(Path.Combine(path, OciDigest.HexOf(blob)), cancellationToken), Signature = Convert.FromBase64String(signature) });
            }
            return found;
        }, cancellationToken) ?? [];

    private static async Task<byte[]> ReadAsync(string path, CancellationToken cancellationToken) =>
        new FileInfo(path).Length <= LargestDocument ? await File.ReadAllBytesAsync(path, cancellationToken) : throw new InvalidDataException("it is too large");

    /// <summary>Copies an image into a folder and reads that; null when the registry has none, or nothing that makes sense.</summary>
    private async Task<T?> InFolderAsync<T>(string source, IReadOnlyList<string> options, Func<string, Task<T>> read, CancellationToken cancellationToken) where T : class
    {
        try
        {
            return await _copy.UseAsync(source, options, read, cancellationToken);
        }
        catch (ToolFailure e) when (Missing.Any(words => e.Tail.Contains(words, StringComparison.OrdinalIgnoreCase)))
        {
            return null;
        }
        catch (ToolFailure e)
        {
            throw new UserError($"The registry does not say whether {source["docker://".Length..]} is there: {ImageCopy.ReasonOf(e)}", "Signatures are asked for at each build until one is by the key that is wanted. `skopeo inspect` with the same name shows more.", e);
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or InvalidDataException or FileNotFoundException)
        {
            return null; // whatever it is, it is no signature
        }
    }
}
