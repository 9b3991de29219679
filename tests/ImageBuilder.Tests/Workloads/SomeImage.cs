using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Workloads;

namespace ImageBuilder.Tests.Workloads;

/// <summary>Makes an OCI archive of a small image with compressed layers, as a container engine saves it.</summary>
internal static class SomeImage
{
    /// <summary>Writes an archive; every layer is one file of the given name and content.</summary>
    public static void Write(string path, string architecture, params (string Name, byte[] Content)[] layers)
    {
        var packed = new List<byte[]>();
        var plain = new JsonArray();
        foreach (var (name, content) in layers)
        {
            var layer = Tar((name, content));
            plain.Add((JsonNode)PlainImage.DigestOf(layer));
            packed.Add(Compress(layer));
        }
        var config = Bytes(new JsonObject { ["architecture"] = architecture, ["os"] = "linux", ["config"] = new JsonObject { ["Cmd"] = new JsonArray("/bin/true") }, ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = plain } });
        var manifest = Bytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
            ["config"] = PlainImage.Descriptor("application/vnd.oci.image.config.v1+json", PlainImage.DigestOf(config), config.Length),
            ["layers"] = new JsonArray([.. packed.Select(layer => (JsonNode)PlainImage.Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", PlainImage.DigestOf(layer), layer.Length))]),
        });
        var index = Bytes(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(PlainImage.Descriptor("application/vnd.oci.image.manifest.v1+json", PlainImage.DigestOf(manifest), manifest.Length)) });
        File.WriteAllBytes(path, Tar([("oci-layout", """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray()), ("index.json", index), .. packed.Append(config).Append(manifest).Select(blob => ("blobs/sha256/" + PlainImage.DigestOf(blob)["sha256:".Length..], blob))]));
    }

    /// <summary>Runs a program and gives what it wrote; fails with what it said otherwise.</summary>
    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors.Result}");
        return output;
    }

    private static byte[] Bytes(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    private static byte[] Tar(params (string Name, byte[] Content)[] files)
    {
        using var stream = new MemoryStream();
        using (var tar = new TarWriter(stream, TarEntryFormat.Ustar, leaveOpen: true))
            foreach (var (name, content) in files)
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content), ModificationTime = DateTimeOffset.UnixEpoch });
        return stream.ToArray();
    }

    private static byte[] Compress(byte[] plain)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(plain);
        return stream.ToArray();
    }
}
