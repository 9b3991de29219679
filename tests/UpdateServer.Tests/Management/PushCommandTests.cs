using Appliance.ImageBuilder.Publish;
using UpdateClient.Tests.Install;
using UpdateClient.Tests.Workloads;

namespace UpdateServer.Tests.Management;

/// <summary>The program <c>appliance push</c> against the whole server, over TLS.</summary>
public sealed class PushCommandTests : IDisposable
{
    private readonly UpdateScene _publisher = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _publisher.Dispose();

    [Theory]
    [InlineData("success", 0, "finished")]
    [InlineData("failure", 1, "failed: it was a failure")]
    public async Task ABundle_IsAtTheDevice_AndHowItGoes_IsTold(string finished, int exitCode, string words)
    {
        await _publisher.PublishVersionAsync("1.1", 1 << 20);
        var bundle = await ExportAsync("edge.bundle", null);
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        var device = scene.Device("bench-1");
        await device.PollAsync();
        await using var events = await device.ListenAsync();
        Assert.Equal("event: poll", await events.NextAsync()); // for what came before

        var pushing = RunAsync(scene, bundle, "--device", "bench-1");
        Assert.Equal("event: poll", await events.NextAsync());
        var deployment = (await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!;
        Assert.Equal(("forced", "os", "edge", "1.1", "edge_1.1.bundle"), ((string?)deployment["update"], (string?)deployment["chunks"]![0]!["part"], (string?)deployment["chunks"]![0]!["name"], (string?)deployment["chunks"]![0]!["version"], (string?)deployment["chunks"]![0]!["artifacts"]![0]!["filename"]));
        using var fetched = await device.DownloadAsync((string)deployment["chunks"]![0]!["artifacts"]![0]!["_links"]!["download"]!["href"]!);
        Assert.Equal(await File.ReadAllBytesAsync(bundle, Token), await fetched.Content.ReadAsByteArrayAsync(Token));
        await device.DoAsync(finished);

        var (code, said) = await pushing;
        Assert.Equal(exitCode, code);
        Assert.Contains($"bench-1: ", said, StringComparison.Ordinal);
        Assert.Contains(words, said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABundleWithAWorkload_IsAnApplication_AndNobodyNeedWait()
    {
        await _publisher.PublishAsync(await SomeWorkload.BuildAsync(_publisher, "7", layerSize: 64 << 10));
        var bundle = await ExportAsync("shop.bundle", "shop");
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        var device = scene.Device("bench-1");
        await device.PollAsync();

        Assert.Equal(0, (await RunAsync(scene, bundle, "--device", "bench-1", "--no-wait")).ExitCode);
        Assert.Equal("bApp", (string?)(await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!["chunks"]![0]!["part"]);
    }

    [Fact]
    public async Task WhatIsNoBundle_OrNoDevice_IsRefused()
    {
        await _publisher.PublishVersionAsync("1.1", 1 << 20);
        var bundle = await ExportAsync("edge.bundle", null);
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        await File.WriteAllTextAsync(_publisher["text"], "no bundle", Token);

        foreach (var (file, words) in new[] { (_publisher["none"], "error: There is no "), (_publisher["text"], "error: "), (bundle, "There is no device bench-9.") })
        {
            var (code, said) = await RunAsync(scene, file, "--device", "bench-9");
            Assert.Equal(2, code);
            Assert.Contains(words, said, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        }
    }

    private async Task<string> ExportAsync(string name, string? workload)
    {
        await new OfflineExport(_publisher.Repository, "stable", null, _publisher.Time, workload).WriteAsync(_publisher[name], null, Token);
        return _publisher[name];
    }

    private static Task<(int ExitCode, string Said)> RunAsync(ServerScene scene, params string[] arguments) =>
        BuilderProgram.RunAsync(["push", .. arguments], ("APPLIANCE_SERVER", scene.Address.ToString()), ("APPLIANCE_SERVER_KEY", scene.Key), ("APPLIANCE_SERVER_FINGERPRINT", scene.Fingerprint()));
}
