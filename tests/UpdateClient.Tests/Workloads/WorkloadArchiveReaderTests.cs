using System.Formats.Tar;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Publish;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Workloads;

/// <summary>A payload is read to its end, and what is wrong with it is said.</summary>
public sealed class WorkloadArchiveReaderTests : IDisposable
{
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    /// <summary>The payload, with members changed on the way: a null drops one.</summary>
    private async Task<MemoryStream> PayloadAsync(Func<string, byte[], (string Name, byte[] Content)?>? change = null)
    {
        await SomeWorkload.BuildAsync(_scene, "1.0", layerSize: 64 << 10);
        var changed = new MemoryStream();
        using (var tar = new TarReader(File.OpenRead(_scene.Plain("shop-1.0", WorkloadRelease.PayloadName))))
        using (var writer = new TarWriter(changed, TarEntryFormat.Ustar, leaveOpen: true))
            while (tar.GetNextEntry() is { } entry)
            {
                var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                if ((change is null ? (entry.Name, content.ToArray()) : change(entry.Name, content.ToArray())) is { } next)
                    writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, next.Item1) { DataStream = new MemoryStream(next.Item2) });
            }
        changed.Position = 0;
        return changed;
    }

    private async Task<string> RefusalAsync(Func<string, byte[], (string, byte[])?> change)
    {
        var payload = await PayloadAsync(change);
        return (await Assert.ThrowsAsync<InvalidDataException>(() => WorkloadArchiveReader.VerifyAsync(payload, CancellationToken.None))).Message;
    }

    private static byte[] Replace(byte[] text, string old, string replacement) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text).Replace(old, replacement, StringComparison.Ordinal));

    [Fact]
    public async Task ASoundPayload_IsRead()
    {
        var release = await WorkloadArchiveReader.VerifyAsync(await PayloadAsync(), CancellationToken.None);

        Assert.Equal(("shop", "1.0"), (release.Id, release.Version));
        Assert.Equal(release.Images, (await WorkloadArchiveReader.ReadReleaseAsync(await PayloadAsync(), CancellationToken.None)).Images);
    }

    [Fact]
    public async Task Refuses_ABlobThatIsNotWhatItsNameSays() =>
        Assert.Contains("is damaged", await RefusalAsync((name, content) =>
        {
            if (content.Length > 10_000) content[500] ^= 1;
            return (name, content);
        }), StringComparison.Ordinal);

    [Fact]
    public async Task Refuses_AMissingLayer() =>
        Assert.Contains("the layer sha256:", await RefusalAsync((name, content) => content.Length > 10_000 ? null : (name, content)), StringComparison.Ordinal);

    [Fact]
    public async Task Refuses_AMissingImage() =>
        Assert.Contains("the image example.org/shop/web:1 is not in it", await RefusalAsync((name, content) => name.StartsWith("blobs/", StringComparison.Ordinal) ? null : (name, content)), StringComparison.Ordinal);

    [Fact]
    public async Task Refuses_AnIndexThatNamesAnotherImage() =>
        Assert.Contains("its index names another image", await RefusalAsync((name, content) => (name, name == "index.json" ? Replace(content, "shop/web:1-", "shop/web:2-") : content)), StringComparison.Ordinal);

    /// <summary>containerd takes images by one name of the index, podman by another, and both take all that it names.</summary>
    [Theory]
    [InlineData("io.containerd.image.name", "registry.example.com/pause:3")]
    [InlineData("org.opencontainers.image.ref.name", "registry.example.com/pause:3")]
    [InlineData("another.name", "registry.example.com/pause:3")]
    public async Task Refuses_AnIndexThatGivesTheImageAnotherName(string annotation, string image) =>
        Assert.Contains("its index names another image", await RefusalAsync(WithIndex(entries => entries[0]!["annotations"]![annotation] = image)), StringComparison.Ordinal);

    [Fact]
    public async Task Refuses_AnIndexThatNamesMoreThanTheRelease() =>
        Assert.Contains("its index names 2 images, and it has 1", await RefusalAsync(WithIndex(entries => entries.Add(entries[0]!.DeepClone()))), StringComparison.Ordinal);

    private static Func<string, byte[], (string, byte[])?> WithIndex(Action<JsonArray> change) => (name, content) =>
    {
        if (name != "index.json") return (name, content);
        var index = JsonNode.Parse(content)!;
        change(index["manifests"]!.AsArray());
        return (name, Encoding.UTF8.GetBytes(index.ToJsonString()));
    };

    [Fact]
    public async Task Refuses_WhatDoesNotBelongThere() =>
        Assert.Contains("a member ../etc/passwd", await RefusalAsync((name, content) => (name == "oci-layout" ? "../etc/passwd" : name, content)), StringComparison.Ordinal);

    [Fact]
    public async Task Refuses_APayloadWithoutItsRelease() =>
        Assert.Contains("does not begin with release.json", await RefusalAsync((name, content) => name == WorkloadRelease.MemberName ? null : (name, content)), StringComparison.Ordinal);

    [Fact]
    public async Task DamagedPayloads_GiveARelease_OrOneOfTwoErrors()
    {
        var sound = (await PayloadAsync()).ToArray();
        var random = new Random(8);
        for (var round = 0; round < 300; round++)
        {
            var bytes = sound.ToArray();
            // Among headers and documents most of the time; the layers are most of the bytes.
            for (var change = random.Next(1, 4); change > 0; change--) bytes[random.Next(random.Next(3) == 0 ? bytes.Length : 6000)] = (byte)random.Next(256);
            try
            {
                await WorkloadArchiveReader.VerifyAsync(new MemoryStream(bytes, 0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length), CancellationToken.None);
            }
            catch (Exception e) when (e is InvalidDataException or UserError)
            {
                // What it is for.
            }
        }
    }

    [Theory]
    [InlineData("other", "shop 1.0 for amd64, and the bundle says otherwise")]
    [InlineData("shop", null)]
    public async Task Verify_ComparesTheReleaseWithItsBundle(string id, string? fault)
    {
        await SomeWorkload.BuildAsync(_scene, "1.0", layerSize: 64 << 10);
        var packed = await BundleWriter.PackAsync(new BundlePayloadFile(WorkloadRelease.PayloadName, BundlePayloadKind.Workload, _scene.Plain("shop-1.0", WorkloadRelease.PayloadName)), _scene["d.packed"], null, CancellationToken.None);
        var header = new BundleHeader { Kind = BundleKind.Workload, Id = id, Version = "1.0", Board = BundleHeader.AnyBoard, Architecture = "amd64", SourceDate = UpdateScene.Now };
        await BundleWriter.WriteAsync(header, [packed], _scene["x.bundle"], CancellationToken.None);

        var report = await new RepositoryCheck(null, _scene.Time, _scene.Observer).CheckBundleAsync(_scene["x.bundle"], CancellationToken.None);

        if (fault is null) Assert.Empty(report.Faults);
        else Assert.Contains(fault, Assert.Single(report.Faults), StringComparison.Ordinal);
    }
}
