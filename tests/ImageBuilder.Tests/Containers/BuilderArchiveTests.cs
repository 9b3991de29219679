using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Containers;

namespace ImageBuilder.Tests.Containers;

public sealed class BuilderArchiveTests : IDisposable
{
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("builder.tar")]
    [InlineData("builder.tar.gz")]
    public async Task WhatIsWritten_IsReadAsTheSameImage_AndEveryByteCounts(string name)
    {
        var layer = _folder.Write("layer.tar", new string('x', 10_000));
        long last = 0, total = 0;

        var written = await BuilderArchive.WriteAsync(_folder[name], "localhost/a:1", new JsonObject { ["os"] = "linux" }, [layer], (done, all) => (last, total) = (done, all), TestContext.Current.CancellationToken);
        var read = await BuilderArchive.ReadAsync(_folder[name], TestContext.Current.CancellationToken);

        Assert.Equal(written, read);
        Assert.Equal((20_000, 20_000), (last, total));
        Assert.StartsWith("sha256:", read.ImageId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not a tar at all")]
    [InlineData("")]
    public async Task SomethingElse_IsRefusedWithTheWayToMakeOne(string content)
    {
        var error = await Assert.ThrowsAsync<UserError>(() => BuilderArchive.ReadAsync(_folder.Write("x.tar", content), TestContext.Current.CancellationToken));

        Assert.Contains("is no container image", error.Message, StringComparison.Ordinal);
        Assert.Contains("appliance builder-image", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheConfiguration_NamesTheLayersByTheirHashes()
    {
        var layer = _folder.Write("layer.tar", "content");
        var config = new JsonObject();

        await BuilderArchive.WriteAsync(_folder["b.tar"], "a:1", config, [layer], (_, _) => { }, TestContext.Current.CancellationToken);

        Assert.Equal($"sha256:{Convert.ToHexStringLower(SHA256.HashData("content"u8))}", (string?)config["rootfs"]!["diff_ids"]![0]);
    }
}
