using System.Net;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Health.Probes;
using Appliance.Supervisor.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Supervisor.Tests.Credentials;

/// <summary>The page's certificate, with the page's server and the page's probe; of the page itself there is a word.</summary>
internal sealed class PageScene : CredentialScene
{
    private readonly List<string> _seen = [];
    private PageCertificate _certificate;
    private WebApplication _server;

    public PageScene()
    {
        Directory.CreateDirectory(this["var"]);
        (_certificate, _server) = Start();
        _seen.Add(_certificate.Current.Thumbprint);
    }

    /// <summary>Where the probe finds something else than the page.</summary>
    public Uri? Elsewhere { get; set; }

    /// <summary>How long one answer of the page is waited for.</summary>
    public TimeSpan AnswerLimit { get; set; } = TimeSpan.FromSeconds(30);

    public override ICredential Credential => new PageCredential(_certificate, Probe.TryAsync) { Within = TimeSpan.Zero, AnswerLimit = AnswerLimit };

    public override async Task<int> UsedAsync()
    {
        Assert.True((await new PageProbe(Server, _certificate).TryAsync(TestContext.Current.CancellationToken)).Passed);
        Assert.Equal(_certificate.Current.Thumbprint, Open().Current.Thumbprint);
        var shown = _certificate.Current.Thumbprint;
        if (!_seen.Contains(shown)) _seen.Add(shown);
        return _seen.IndexOf(shown);
    }

    public override async Task BootAsync()
    {
        await _server.DisposeAsync();
        (_certificate, _server) = Start();
        await base.BootAsync();
    }

    public override void Dispose()
    {
        _server.DisposeAsync().AsTask().GetAwaiter().GetResult();
        base.Dispose();
    }

    /// <summary>Where the page is.</summary>
    public Uri Address => new(Server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());

    private PageProbe Probe => new(Elsewhere is { } elsewhere ? new ServerAt(elsewhere) : Server, _certificate);

    private IServer Server => _server.Services.GetRequiredService<IServer>();

    private PageCertificate Open() => new(this["var/page.pem"], () => "edge-7");

    private (PageCertificate Certificate, WebApplication Server) Start()
    {
        var certificate = Open();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => StatusServer.Configure(kestrel, new IPEndPoint(IPAddress.Loopback, 0), certificate, null));
        var server = builder.Build();
        server.Run(_ => Task.CompletedTask);
        server.StartAsync().GetAwaiter().GetResult();
        return (certificate, server);
    }

    /// <summary>Says where it listens, and does not.</summary>
    private sealed class ServerAt : IServer
    {
        public ServerAt(Uri address)
        {
            var addresses = new ServerAddressesFeature();
            addresses.Addresses.Add(address.OriginalString);
            Features.Set<IServerAddressesFeature>(addresses);
        }

        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken) where TContext : notnull => throw new NotSupportedException();

        public Task StopAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
