using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;
using FsCheck;
using FsCheck.Fluent;

namespace Core.Tests.Releases;

public sealed class ReleaseReaderTests
{
    private static readonly string Hash = new('a', 64), Other = new('b', 64);

    internal static Release Example() => new()
    {
        Format = 1,
        Header = new BundleHeader { Id = "edge", Version = "1.1", Board = "vm", Architecture = "amd64", RootHash = Hash, Salt = "00ff", SourceDate = DateTimeOffset.UnixEpoch },
        Notes = "New.",
        Manifest = ObjectReference.For(Hash, 100),
        Bundle = ObjectReference.For(Other, 10_000_000),
        Payloads =
        [
            new ReleasePayload
            {
                Name = "root.erofs", Kind = BundlePayloadKind.Root, Size = 8192, Sha256 = Hash, Offset = 1024,
                Chunks = new ChunkReference(ObjectReference.For(Hash, 5), ObjectReference.For(Other, 6)),
                Patches = [new PatchReference { FromVersion = "1.0", FromSha256 = Other, FromSize = 4096, Patch = ObjectReference.For(Hash, 7) }],
            },
        ],
    };

    private static byte[] Json(Action<JsonObject>? change = null)
    {
        var node = JsonSerializer.SerializeToNode(Example(), ReleaseJson.Default.Release)!.AsObject();
        change?.Invoke(node);
        return Encoding.UTF8.GetBytes(node.ToJsonString());
    }

    [Fact]
    public void Parse_WhatWasWritten_GivesItBack()
    {
        var release = ReleaseReader.Parse(Json());

        Assert.Equal(Example().Header, release.Header);
        Assert.Equal(Example().Payloads[0].Patches, release.Payloads[0].Patches);
        Assert.Equal(5, release.Objects().Count());
    }

    [Fact]
    public void Parse_ANewerFormat_SaysToUpdate_WhateverElseIsNew()
    {
        var error = Assert.Throws<UserError>(() => ReleaseReader.Parse(Json(node =>
        {
            node["format"] = 2;
            node["surprise"] = new JsonArray(1, 2);
        })));

        Assert.Contains("format 2", error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Faults => new(Changes.Keys);

    private static readonly Dictionary<string, Action<JsonObject>> Changes = new()
    {
        ["unknown member"] = node => node["surprise"] = 1,
        ["no format"] = node => node.Remove("format"),
        ["format as text"] = node => node["format"] = "1",
        ["format 0"] = node => node["format"] = 0,
        ["no payloads"] = node => node["payloads"] = new JsonArray(),
        ["payload is null"] = node => node["payloads"]![0] = null,
        ["an object outside"] = node => node["bundle"]!["path"] = "../../etc/passwd",
        ["an object of another name"] = node => node["bundle"]!["path"] = ObjectReference.PathFor(Hash),
        ["a hash in capitals"] = node => node["payloads"]![0]!["sha256"] = new string('A', 64),
        ["a short hash"] = node => node["header"]!["rootHash"] = "aa",
        ["a name with a slash"] = node => node["payloads"]![0]!["name"] = "a/b",
        ["a hidden name"] = node => node["payloads"]![0]!["name"] = "..",
        ["an unknown kind"] = node => node["payloads"]![0]!["kind"] = "Firmware",
        ["a kind as number"] = node => node["payloads"]![0]!["kind"] = 77,
        ["a negative size"] = node => node["payloads"]![0]!["size"] = -4096,
        ["a size that is no number of blocks"] = node => node["payloads"]![0]!["size"] = 8193,
        ["an offset outside of the bundle"] = node => node["payloads"]![0]!["offset"] = 10_000_001,
        ["a version with a space"] = node => node["header"]!["version"] = "1 0",
        ["an id that leaves its folder"] = node => node["header"]!["id"] = "../x",
        ["a manifest of 5 GiB"] = node => node["manifest"]!["size"] = 5L << 30,
        ["an empty object"] = node => node["bundle"]!["size"] = 0,
        ["a size that overflows"] = node => node["bundle"]!["size"] = 1e30,
        ["notes of a megabyte"] = node => node["notes"] = new string('x', 1 << 17),
        ["a salt of odd length"] = node => node["header"]!["salt"] = "0",
        ["patches are null"] = node => node["payloads"]![0]!["patches"] = new JsonArray((JsonNode?)null),
        ["chunk index missing"] = node => node["payloads"]![0]!["chunks"]!.AsObject().Remove("index"),
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Refuses_(string fault) => Assert.Throws<InvalidDataException>(() => ReleaseReader.Parse(Json(Changes[fault])));

    /// <summary>Bytes that an earlier run of the generator, or a person, found interesting.</summary>
    public static TheoryData<string> Corpus =>
        ["", "null", "[]", "{}", "{\"format\":1}", "{\"format\":1e400}", "{\"format\":1,\"format\":1}", "\u00ef\u00bb\u00bf{}", "{\"format\":1,\"header\":null,\"manifest\":null,\"bundle\":null,\"payloads\":null}", "{\"format\":{}}", "\"\\ud800\"", new string('[', 4000)];

    [Theory]
    [MemberData(nameof(Corpus))]
    public void Refuses_TheCorpus(string text) => AssertRefusedOrRead(Encoding.Latin1.GetBytes(text));

    [Fact]
    public void AnyDamage_IsRefusedOrHarmless()
    {
        var original = Json();
        var edit = Gen.Choose(0, original.Length - 1).SelectMany(_ => Gen.Choose(0, 255), (at, value) => (at, (byte)value));
        Prop.ForAll(edit.ListOf().Where(edits => edits.Count is > 0 and < 20).ToArbitrary(), edits =>
        {
            var bytes = original.ToArray();
            foreach (var (at, value) in edits) bytes[at] = value;
            AssertRefusedOrRead(bytes);
            AssertRefusedOrRead(bytes[..(edits[0].at)]);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void AnyDamage_OfAManifest_IsRefusedOrHarmless()
    {
        var manifest = new BundleManifest
        {
            Format = 1,
            Header = Example().Header,
            Payloads = [new BundlePayload { Name = "root.erofs", Kind = BundlePayloadKind.Root, Size = 8192, Sha256 = Hash, FrameSize = 4 << 20, Frames = [new BundleFrame(100, Hash)] }],
        };
        var plain = JsonSerializer.SerializeToUtf8Bytes(manifest, BundleJson.Default.BundleManifest);
        var packed = BundleManifestReader.Compress(manifest);
        Assert.Equal(manifest.Payloads[0].Frames, ReleaseReader.ParseManifest(Example(), packed).Payloads[0].Frames);
        var random = new Random(1);
        for (var i = 0; i < 4000; i++)
        {
            var bytes = (i % 2 == 0 ? plain : packed).ToArray();
            for (var edits = random.Next(1, 5); edits > 0; edits--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                _ = i % 2 == 0 ? BundleManifestReader.Parse(bytes) : BundleManifestReader.ParseCompressed(bytes);
            }
            catch (Exception e) when (e is InvalidDataException or UserError)
            {
                // refused, as it should be
            }
        }
    }

    [Fact]
    public void Refuses_AManifestThatUnpacksToGigabytes()
    {
        using var compressor = new ZstdSharp.Compressor(1);
        var bomb = compressor.Wrap(new byte[64 << 20]).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Throws<InvalidDataException>(() => BundleManifestReader.ParseCompressed(bomb));

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 16 << 20);
    }

    private static void AssertRefusedOrRead(byte[] bytes)
    {
        try
        {
            var release = ReleaseReader.Parse(bytes);
            Assert.All(release.Objects(), reference => Assert.StartsWith("objects/", reference.Path, StringComparison.Ordinal));
        }
        catch (Exception e) when (e is InvalidDataException or UserError)
        {
            // refused, as it should be
        }
    }
}
