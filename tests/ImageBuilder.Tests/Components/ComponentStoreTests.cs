using System.Net;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.ImageBuilder.Components;
using Appliance.ImageBuilder.Definition;

namespace ImageBuilder.Tests.Components;

public sealed class ComponentStoreTests : IDisposable
{
    private static readonly byte[] Content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("the real k3s ", 10_000)));
    private readonly Temporary _folder = new();
    private readonly HttpListener _server = new();
    private readonly string _url;
    private Action<HttpListenerResponse> _answer = response => response.OutputStream.Write(Content);

    public ComponentStoreTests()
    {
        var port = Appliance.ImageBuilder.Run.RunCommand.FreePort(20000);
        _url = $"http://127.0.0.1:{port}/";
        _server.Prefixes.Add(_url);
        _server.Start();
        _ = Task.Run(async () =>
        {
            while (_server.IsListening)
            {
                var context = await _server.GetContextAsync();
                try
                {
                    _answer(context.Response);
                    context.Response.Close();
                }
                catch (Exception e) when (e is HttpListenerException or InvalidOperationException or IOException)
                {
                    context.Response.Abort();
                }
            }
        });
    }

    public void Dispose()
    {
        _server.Close();
        _folder.Dispose();
    }

    private ComponentPin Pin(string? url = null) => new()
    {
        Name = "k3s",
        Version = "v1",
        Architecture = "amd64",
        Url = new Uri(url ?? _url + "k3s"),
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content)),
        InstallPath = "/usr/bin/k3s",
    };

    private ComponentStore Store(params (string, string)[] given) => new(_folder["cache"], given.ToDictionary(pair => pair.Item1, pair => pair.Item2));

    private Task<string> ResolveAsync(ComponentPin pin, params (string, string)[] given) => Store(given).ResolveAsync(pin, null, TestContext.Current.CancellationToken);

    [Fact]
    public async Task Resolve_ADownload_IsVerifiedAndKept()
    {
        var path = await ResolveAsync(Pin());

        Assert.Equal(Content, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
        _answer = response => response.StatusCode = 500;
        Assert.Equal(path, await ResolveAsync(Pin())); // from the cache
    }

    [Fact]
    public async Task Resolve_AFileGivenByHand_NeedsNoNetwork()
    {
        await File.WriteAllBytesAsync(_folder["mine"], Content, TestContext.Current.CancellationToken);

        var path = await ResolveAsync(Pin("http://127.0.0.1:1/k3s"), ("k3s", _folder["mine"]));

        Assert.Equal(Content, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Resolve_AFileWithAnotherHash_IsRefusedWithBothHashes()
    {
        _folder.Write("mine", "something else");

        var error = await Assert.ThrowsAsync<UserError>(() => ResolveAsync(Pin(), ("k3s", _folder["mine"])));

        Assert.Contains(Pin().Sha256, error.Message, StringComparison.Ordinal);
        Assert.Contains(_folder["mine"], error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_folder["cache"], "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Resolve_ADownloadWithAnotherHash_IsRefusedAndNotKept()
    {
        _answer = response => response.OutputStream.Write("not k3s"u8);

        await Assert.ThrowsAsync<UserError>(() => ResolveAsync(Pin()));

        Assert.Empty(Directory.EnumerateFiles(_folder["cache"], "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Resolve_ADownloadThatBreaksOff_IsUnavailable()
    {
        _answer = response =>
        {
            response.ContentLength64 = Content.Length;
            response.OutputStream.Write(Content.AsSpan(0, 1000));
            response.OutputStream.Flush();
            response.Abort();
        };

        await Assert.ThrowsAsync<ComponentUnavailable>(() => ResolveAsync(Pin()));
    }

    [Fact]
    public async Task Resolve_ADownloadWithoutEnd_IsCutAtThePinnedSize()
    {
        _answer = response =>
        {
            response.SendChunked = true;
            while (true) response.OutputStream.Write(Content);
        };

        await Assert.ThrowsAsync<ComponentUnavailable>(() => ResolveAsync(Pin() with { Size = Content.Length }));
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/k3s")]
    [InlineData("http://name.invalid/k3s")]
    public async Task Resolve_Unreachable_SaysWhatToPlaceWhere(string url)
    {
        var error = await Assert.ThrowsAsync<ComponentUnavailable>(() => ResolveAsync(Pin(url)));

        Assert.Contains(url, error.Message, StringComparison.Ordinal);
        Assert.Contains("--component k3s=FILE", error.Hint, StringComparison.Ordinal);
        Assert.Contains(Pin().Sha256, error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Resolve_NotFound_IsUnavailable()
    {
        _answer = response => response.StatusCode = 404;

        await Assert.ThrowsAsync<ComponentUnavailable>(() => ResolveAsync(Pin()));
    }
}
