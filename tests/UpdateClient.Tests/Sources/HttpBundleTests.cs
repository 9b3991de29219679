using System.Net.Http.Headers;
using Appliance.Core;
using Appliance.ImageBuilder.Publish;
using Appliance.UpdateClient.Sources;
using UpdateClient.Tests.Install;

namespace UpdateClient.Tests.Sources;

/// <summary>A bundle at an address is installed as one from a file is.</summary>
public sealed class HttpBundleTests : IAsyncLifetime
{
    private static readonly HttpSourceOptions Quick = new() { FirstPause = TimeSpan.FromMilliseconds(10), LongestPause = TimeSpan.FromMilliseconds(50), Tries = 3 };

    private readonly UpdateScene _scene = new();
    private FaultyServer _server = null!;
    private long _size;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Address => $"{_server.Address}edge.bundle";

    public async ValueTask InitializeAsync()
    {
        await _scene.PublishVersionAsync("1.1", 3 << 20);
        var folder = Directory.CreateDirectory(_scene["served"]).FullName;
        var bundle = Path.Combine(folder, "edge.bundle");
        await new OfflineExport(_scene.Repository, "stable", null, _scene.Time).WriteAsync(bundle, null, Token);
        _size = new FileInfo(bundle).Length;
        _server = new FaultyServer(folder);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _scene.Dispose();
    }

    [Fact]
    public async Task ItIsInstalled_WithOneRequest()
    {
        await InstallAsync(Quick);

        Assert.Single(_server.Log);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ATransferThatBreaks_GoesOn_WhetherTheServerKnowsRangesOrNot(bool ignoresRanges)
    {
        _server.Spoil = request => new FaultyServer.Fault { IgnoreRange = ignoresRanges, CutAfter = request.Number > 5 ? null : ignoresRanges ? 200_000 * request.Number : 100_000 };

        await InstallAsync(Quick);

        Assert.Equal(6, _server.Log.Count);
        if (!ignoresRanges) Assert.Equal(_size, _server.Sent); // no byte twice
    }

    [Fact]
    public async Task AServerThatIsGone_MayComeBack_AndAMissingFileWillNot()
    {
        _server.Spoil = _ => new FaultyServer.Fault { Status = 503 };
        Assert.True((await Assert.ThrowsAsync<UserError>(() => InstallAsync(Quick))).MayPass);

        _server.Spoil = _ => new FaultyServer.Fault { Status = 404 };
        Assert.False((await Assert.ThrowsAsync<UserError>(() => InstallAsync(Quick))).MayPass);
    }

    [Fact]
    public async Task WhatProvesWhoAsks_IsSent()
    {
        await InstallAsync(Quick with { Authorization = new AuthenticationHeaderValue("TargetToken", "secret") });

        Assert.Contains("Authorization: TargetToken secret", _server.Log.Single().Head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASignedLink_IsAskedForAsItIs()
    {
        await InstallAsync(Quick, $"{Address}?signature=a%2Fb&expires=7");

        Assert.StartsWith("GET /edge.bundle?signature=a%2Fb&expires=7 ", _server.Log.Single().Head, StringComparison.Ordinal);
    }

    private async Task InstallAsync(HttpSourceOptions options, string? address = null)
    {
        _scene.ForgetSlot();
        await using var source = (BundleSource)await RepositoryLocation.OpenAsync(address ?? Address, options, Token);
        await _scene.InstallAsync(source);
        _scene.AssertInstalled("1.1");
    }
}
