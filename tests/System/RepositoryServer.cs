using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;

namespace Appliance.SystemTests;

/// <summary>A folder with keys and a repository, served where a virtual machine finds it, at a port of the system's choice.</summary>
internal sealed class RepositoryServer(string folder) : IAsyncDisposable
{
    private WebApplication? _server;
    private int _port;
    private volatile bool _closed;

    private string Passphrase => Path.Combine(folder, "passphrase");

    /// <summary>Makes the folder and the keys, and serves.</summary>
    public async Task StartAsync(params IEnumerable<string> channels)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _server = builder.Build();
        _server.Urls.Add("http://127.0.0.1:0");
        _server.Use((context, next) =>
        {
            if (!_closed) return next(context);
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        _server.UseStaticFiles(new StaticFileOptions { FileProvider = new PhysicalFileProvider(folder), ServeUnknownFileTypes = true });
        await _server.StartAsync();
        _port = new Uri(_server.Urls.Single()).Port;
        await File.WriteAllTextAsync(Passphrase, "only for a test");
        await Product.SucceedAsync(["keys", "init", "--dir", Path.Combine(folder, "keys"), "--passphrase-file", Passphrase, .. channels.SelectMany(channel => new[] { "--channel", channel })]);
    }

    /// <summary>Address of a folder in it for the device: QEMU's name of the host.</summary>
    public string AddressOf(string name) => $"http://10.0.2.2:{_port}/{name}/";

    /// <summary>Publishes a bundle.</summary>
    public Task PublishAsync(string bundle, string channel, params IReadOnlyList<string> options) =>
        Product.SucceedAsync(["publish", bundle, "--repo", Path.Combine(folder, "repository"), "--keys", Path.Combine(folder, "keys"), "--passphrase-file", Passphrase, "--channel", channel, .. options]);

    /// <summary>The server has nothing for anybody until this is disposed of.</summary>
    public IDisposable Close()
    {
        _closed = true;
        return new Opening(this);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    private sealed class Opening(RepositoryServer server) : IDisposable
    {
        public void Dispose() => server._closed = false;
    }
}
