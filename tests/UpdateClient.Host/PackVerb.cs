using System.Security.Cryptography;
using System.Text;
using Appliance.Core.Bundles;
using Appliance.Core.Images;
using Appliance.Core.Verity;

namespace Appliance.UpdateClient.Host;

/// <summary>Makes a bundle out of any root image, for benchmarks on images that no build made.</summary>
internal static class PackVerb
{
    public static async Task RunAsync(Arguments options)
    {
        var (image, output) = (options["root-image"], options["output"]);
        var salt = SHA256.HashData(Encoding.UTF8.GetBytes($"{options["id"]}:{options["version"]}"));
        var header = new BundleHeader
        {
            Id = options["id"],
            Version = options["version"],
            Board = options["board"],
            Architecture = options["arch"],
            RootHash = RootHash(image, options["id"], salt),
            Salt = Convert.ToHexStringLower(salt),
            SourceDate = DateTimeOffset.UnixEpoch,
        };
        var payloads = new List<PackedPayload> { await BundleWriter.PackAsync(new("root.erofs", BundlePayloadKind.Root, image), output + ".root", null, CancellationToken.None) };
        if (options.Optional("uki") is { } uki) payloads.Add(await BundleWriter.PackAsync(new("uki.efi", BundlePayloadKind.Uki, uki), output + ".uki", null, CancellationToken.None));
        await BundleWriter.WriteAsync(header, payloads, output, CancellationToken.None);
        foreach (var payload in payloads) File.Delete(payload.Path);
    }

    private static string RootHash(string image, string id, byte[] salt)
    {
        using var file = File.OpenRead(image);
        var tree = new VerityTreeWriter(file.Length, salt, ImageIdentity.NameBased(id, "verity"), (_, _) => { });
        var buffer = new byte[4 << 20];
        var digests = new byte[buffer.Length / VerityGeometry.BlockSize * VerityGeometry.DigestSize];
        while (file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false) is > 0 and var read)
        {
            VerityTreeWriter.HashBlocks(buffer.AsSpan(0, read), salt, digests);
            tree.Append(digests.AsSpan(0, read / VerityGeometry.BlockSize * VerityGeometry.DigestSize));
        }
        return tree.Finish();
    }
}
