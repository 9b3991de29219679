using System.Formats.Tar;
using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>
/// Fetches container images by skopeo and keeps them, each as it is in its registry: a folder of skopeo's <c>dir</c> transport
/// (manifest.json and one file per blob) under the digest of its manifest. skopeo verifies what it fetches.
/// </summary>
/// <param name="folder">Folder of the store; made when it is not there.</param>
/// <param name="architecture">Debian architecture, which of an image for several is taken.</param>
/// <param name="onLine">Gets skopeo's lines.</param>
internal sealed class ImageStore(string folder, string architecture, Action<string> onLine)
{
    private readonly ImageCopy _copy = new(folder, onLine);

    /// <summary>The image with this digest, from the store or its registry.</summary>
    /// <exception cref="UserError">It cannot be fetched.</exception>
    public async Task<StoredImage> FetchAsync(ImageReference image, string digest, CancellationToken cancellationToken)
    {
        var path = PathOf(digest);
        if (File.Exists(Path.Combine(path, ImageCopy.ManifestName)) && await DigestOfAsync(path, cancellationToken) == digest) return new StoredImage(image.ToString(), path, digest);
        var fetched = await CopyAsync($"docker://{image.Repository}@{digest}", image.ToString(), cancellationToken);
        return fetched.Digest == digest ? fetched
            : throw new UserError($"{image.Repository}@{digest} is an image for several architectures.", $"Name the tag, and let workload.lock.yaml keep the digest for {architecture}.");
    }

    /// <summary>The image that a tag stands for now.</summary>
    /// <exception cref="UserError">It cannot be fetched.</exception>
    public Task<StoredImage> FetchNewestAsync(ImageReference image, CancellationToken cancellationToken) =>
        CopyAsync($"docker://{image.Repository}{(image.Digest is null ? $":{image.Tag}" : $"@{image.Digest}")}", image.ToString(), cancellationToken);

    /// <summary>The only image of an archive.</summary>
    /// <exception cref="UserError">It is no archive of an image.</exception>
    public async Task<StoredImage> TakeAsync(string archive, CancellationToken cancellationToken) =>
        await CopyAsync($"{await TransportOfAsync(archive, cancellationToken)}:{Path.GetFullPath(archive)}", archive, cancellationToken);

    private async Task<StoredImage> CopyAsync(string source, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await _copy.UseAsync(source, ["--override-os", "linux", "--override-arch", architecture], async partial =>
            {
                var digest = await DigestOfAsync(partial, cancellationToken);
                var path = PathOf(digest);
                if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
                Directory.Move(partial, path);
                return new StoredImage(name, path, digest);
            }, cancellationToken);
        }
        catch (ToolFailure e)
        {
            throw new UserError($"The image {name} cannot be had: {ImageCopy.ReasonOf(e)}", "`skopeo inspect` with the same name shows why; `skopeo login` stores credentials, and registries.conf says which registries are mirrors or speak plain HTTP.", e);
        }
    }

    /// <summary>A Docker archive has a manifest.json of its own kind; newer ones are OCI layouts besides.</summary>
    private static async Task<string> TransportOfAsync(string archive, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = File.OpenRead(archive);
            await using var tar = new TarReader(file);
            var isLayout = false;
            while (await tar.GetNextEntryAsync(cancellationToken: cancellationToken) is { } entry)
            {
                if (entry.Name is "manifest.json" or "./manifest.json") return "docker-archive";
                isLayout |= entry.Name is "oci-layout" or "./oci-layout";
            }
            if (isLayout) return "oci-archive";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or FormatException)
        {
            throw new UserError($"The archive {archive} cannot be read: {e.Message}", "Name an archive that `podman save`, `docker save` or `skopeo copy … oci-archive:` made.", e);
        }
        throw new UserError($"{archive} is neither an OCI nor a Docker archive of an image.", "Make one with `podman save` or `skopeo copy … oci-archive:`.");
    }

    private static async Task<string> DigestOfAsync(string path, CancellationToken cancellationToken)
    {
        await using var manifest = File.OpenRead(Path.Combine(path, ImageCopy.ManifestName));
        return OciDigest.OfHash(await SHA256.HashDataAsync(manifest, cancellationToken));
    }

    private string PathOf(string digest) => Path.Combine(folder, OciDigest.HexOf(digest));
}
