using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Supervisor.Tests.Telemetry;

/// <summary>An OTLP/HTTP collector that answers as told, and keeps what it takes.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly int _port;
    private WebApplication? _app;

    private Collector(WebApplication app, int port) => (_app, _port) = (app, port);

    /// <summary>What was taken, in order: the last part of the path and the content, unpacked.</summary>
    public ConcurrentQueue<(string Kind, byte[] Content)> Taken { get; } = new();

    /// <summary>What it answers.</summary>
    public HttpStatusCode Answer { get; set; } = HttpStatusCode.OK;

    public int Refused;

    public string Address => $"http://127.0.0.1:{_port}";

    /// <summary>Everything of a kind as text: OTLP's strings are in its protobuf as they are.</summary>
    public string Text(string kind) => string.Concat(Taken.Where(report => report.Kind == kind).Select(report => Encoding.UTF8.GetString(report.Content)));

    public static async Task<Collector> StartAsync()
    {
        Collector? collector = null;
        var app = Build(0, context => collector!.TakeAsync(context));
        await app.StartAsync(TestContext.Current.CancellationToken);
        var port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        return collector = new Collector(app, port);
    }

    public async Task StopAsync()
    {
        await _app!.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        _app = null;
    }

    public Task StartAgainAsync()
    {
        _app = Build(_port, TakeAsync);
        return _app.StartAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
    }

    private static WebApplication Build(int port, RequestDelegate take)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        app.Run(take);
        return app;
    }

    private async Task TakeAsync(HttpContext context)
    {
        context.Response.StatusCode = (int)Answer;
        if (Answer != HttpStatusCode.OK)
        {
            context.Response.Headers.RetryAfter = "1";
            Interlocked.Increment(ref Refused);
            return;
        }
        Assert.Equal(("POST", "application/x-protobuf", "gzip"), (context.Request.Method, context.Request.ContentType, context.Request.Headers.ContentEncoding.ToString()));
        using var content = new MemoryStream();
        await using (var unpacked = new GZipStream(context.Request.Body, CompressionMode.Decompress)) await unpacked.CopyToAsync(content, context.RequestAborted);
        Taken.Enqueue((Path.GetFileName(context.Request.Path), content.ToArray()));
    }
}
