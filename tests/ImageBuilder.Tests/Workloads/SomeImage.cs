using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Workloads;

namespace ImageBuilder.Tests.Workloads;

/// <summary>Makes an OCI archive of a small image with compressed layers, as a container engine saves it.</summary>
internal static class SomeImage
{
    /// <summary>Writes an archive; every layer is one file of the given name and content.</summary>
    public static void Write(string path, string architecture, params (string Name, byte[] Content)[] layers) => Write(path, architecture, null, ["/bin/true"], layers);

    /// <summary>Writes an archive of an image with busybox (Debian's busybox-static), which sleeps when it is told nothing else.</summary>
    public static void WriteBusybox(string path, string name, params (string Name, byte[] Content)[] layers) =>
        Write(path, "amd64", name, ["/bin/busybox", "sleep", "1000000"], [("bin/busybox", File.ReadAllBytes("/bin/busybox")), .. layers]);

    private static void Write(string path, string architecture, string? image, string[] command, (string Name, byte[] Content)[] layers)
    {
        var packed = new List<byte[]>();
        var plain = new JsonArray();
        foreach (var (name, content) in layers)
        {
            var layer = Tar((name, content));
            plain.Add((JsonNode)OciDigest.Of(layer));
            packed.Add(Compress(layer));
        }
        var config = Bytes(new JsonObject { ["architecture"] = architecture, ["os"] = "linux", ["config"] = new JsonObject { ["Cmd"] = new JsonArray([.. command.Select(word => (JsonNode)word)]) }, ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = plain } });
        var manifest = Bytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
            ["config"] = PlainImage.Descriptor("application/vnd.oci.image.config.v1+json", OciDigest.Of(config), config.Length),
            ["layers"] = new JsonArray([.. packed.Select(layer => (JsonNode)PlainImage.Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", OciDigest.Of(layer), layer.Length))]),
        });
        var descriptor = PlainImage.Descriptor("application/vnd.oci.image.manifest.v1+json", OciDigest.Of(manifest), manifest.Length);
        if (image is not null) descriptor["annotations"] = new JsonObject { ["io.containerd.image.name"] = image };
        var index = Bytes(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(descriptor) });
        File.WriteAllBytes(path, Tar([("oci-layout", """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray()), ("index.json", index), .. packed.Append(config).Append(manifest).Select(blob => ("blobs/sha256/" + OciDigest.Of(blob)["sha256:".Length..], blob))]));
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
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content), ModificationTime = DateTimeOffset.UnixEpoch, Mode = (UnixFileMode)0b111_101_101 });
        return stream.ToArray();
    }

    private static byte[] Compress(byte[] plain)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(plain);
        return stream.ToArray();
    }
}
