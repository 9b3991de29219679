using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;
using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Core.Fleet;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Ddi;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Inventory;
using Appliance.UpdateServer.Management;
using Appliance.UpdateServer.Pages;
using Appliance.UpdateServer.Releases;
using Appliance.UpdateServer.Rollouts;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Serilog;

namespace Appliance.UpdateServer.Serve;

/// <summary>Puts the server together.</summary>
internal static class ServerApplication
{
    private const long LargestBody = 1 << 20;
    private const int MostConnections = 50_000;
    private static readonly TimeSpan HeadersLimit = TimeSpan.FromSeconds(20), KeepAlive = TimeSpan.FromMinutes(2), ShutDown = TimeSpan.FromSeconds(20);

    /// <summary>Builds it; nothing runs yet.</summary>
    /// <exception cref="UserError">The options make no sense.</exception>
    public static WebApplication Build(ServeOptions options, FleetDatabase database, TimeProvider time)
    {
        // Servers that share a database would each make an authority of their own.
        var issuer = options.DeviceIssuer is { } file ? IssuingAuthority.Open(file) : database.Shared is null ? IssuingAuthority.OpenOwn(options.DataFolder, HasIssued, time) : null;
        var authority = ReadAuthority(options, issuer);
        var shown = options.Listen.Scheme == Uri.UriSchemeHttps ? ServerCertificate.Open(options, time) : null;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Host.UseSerilog();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.Limits.RequestHeadersTimeout = HeadersLimit;
            kestrel.Limits.KeepAliveTimeout = KeepAlive;
            kestrel.Listen(Endpoint(options.Listen), listen =>
            {
                if (shown is not var (certificate, above)) return;
                listen.UseHttps(https =>
                {
                    (https.ServerCertificate, https.ServerCertificateChain) = (certificate, above);
                    if (authority is null) return;
                    // Who it is for is judged when a device shows one; browsers and CI show none.
                    (https.ClientCertificateMode, https.ClientCertificateValidation) = (ClientCertificateMode.AllowCertificate, (_, _, _) => true);
                    // The authority's name goes along, so that browsers do not ask people for one of theirs.
                    var named = SslStreamCertificateContext.Create(certificate, above, offline: true, SslCertificateTrust.CreateForX509Collection(authority.Certificates, sendTrustInHandshake: true));
                    // And whatever a stranger shows, nothing is fetched from addresses that stand in it.
                    https.OnAuthenticate = (_, tls) => (tls.ServerCertificateContext, tls.CertificateChainPolicy) = (named, authority.PolicyAt(time.GetUtcNow()));
                });
            });
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutDown);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(System.Text.Json.JsonNamingPolicy.CamelCase)));
        builder.Services.AddProblemDetails().AddRequestDecompression(_ => { }).AddLimits();
        builder.Services.AddOpenApi(openApi => openApi.AddDocumentTransformer((document, _, _) =>
        {
            (document.Info.Title, document.Info.Version) = ("Appliance update server", "1");
            return Task.CompletedTask;
        }));
        builder.Services.AddPages();
        ServerMetrics.Add(builder.Services);
        builder.Services.AddSingleton(options).AddSingleton(database).AddSingleton(time)
            .AddSingleton(services => new DeviceAuthentication(database, options, authority, time))
            .AddSingleton<KeyAuthentication>().AddSingleton<FailedLogIns>().AddSingleton<KeyRing>().AddSingleton<AuditLog>().AddSingleton<Enrolment>().AddSingleton<DeviceDialogue>().AddSingleton<ArtifactStore>().AddSingleton<RolloutBook>().AddSingleton<RolloutReader>().AddSingleton<ReleaseReader>().AddSingleton<RotationBook>()
            .AddSingleton<DeviceRegister>().AddSingleton<DeviceReports>().AddSingleton<FleetOverview>().AddSingleton<SeenDevices>().AddSingleton<RolloutEngine>().AddSingleton<DeviceSignals>()
            .AddHostedService(services => services.GetRequiredService<SeenDevices>()).AddHostedService(services => services.GetRequiredService<RolloutEngine>()).AddHostedService(services => services.GetRequiredService<DeviceSignals>());
        builder.Services.AddSingleton(new AuthorityWatch(issuer, time)).AddHostedService(services => services.GetRequiredService<AuthorityWatch>()).AddSingleton<RenewalWatch>().AddHostedService(services => services.GetRequiredService<RenewalWatch>());
        if (shown is not null) builder.Services.AddSingleton(shown);
        if (issuer is not null) builder.Services.AddSingleton<IDeviceIssuer>(issuer).AddSingleton<DeviceCertificates>();
        if (options.Repository is not null) builder.Services.AddSingleton<RepositoryCatalogue>().AddSingleton<RepositoryPublisher>()
            .AddHostedService(services => services.GetRequiredService<RepositoryCatalogue>()).AddHostedService(services => services.GetRequiredService<RepositoryPublisher>());
        var application = builder.Build();
        application.UseTrustedProxies(options.Proxies);
        application.UseExceptionHandler();
        application.UseRateLimiter();
        application.UseRequestDecompression();
        ServerMetrics.Use(application);
        if (options.Repository is { } repository) application.UseRepository(repository);
        application.MapDdi();
        if (issuer is not null) application.MapEst();
        if (options.ServerTrust is { } trust) application.MapGet(ServerTrust.RolloverPath, () => Results.Text(trust, "application/x-pem-file")).ExcludeFromDescription();
        application.MapManagement();
        application.MapPages();
        application.MapOpenApi("/api/v1/openapi.json");
        application.MapGet("/healthz", () => Results.Text("ok")).ExcludeFromDescription();
        application.MapGet("/readyz", async (FleetDatabase database, CancellationToken stop) =>
        {
            await using var context = database.Open();
            return await context.Database.CanConnectAsync(stop) ? Results.Text("ok") : Results.Text("the database does not answer", statusCode: StatusCodes.Status503ServiceUnavailable);
        }).ExcludeFromDescription();
        return application;

        bool HasIssued()
        {
            using var context = database.Open();
            return context.Certificates.Any();
        }
    }

    private static IPEndPoint Endpoint(Uri listen)
    {
        var address = IPAddress.TryParse(listen.Host.Trim('[', ']'), out var given) ? given : listen.IsLoopback ? IPAddress.Loopback : throw new UserError($"--listen {listen} names no address.", "Examples: https://0.0.0.0:8443, http://127.0.0.1:8080");
        if (listen.Scheme == Uri.UriSchemeHttp && !IPAddress.IsLoopback(address)) throw new UserError("Without TLS the server listens at this machine's own addresses only.", "Use https://, or put a proxy in front and listen at http://127.0.0.1.");
        return new IPEndPoint(address, listen.Port);
    }

    /// <summary>
    /// Whose certificates devices log in with: the issuing authority's and those beside it in its file, the server's own of before it was
    /// given one, and another that is named. A device whose authority is not among them would be locked out.
    /// </summary>
    private static ClientAuthority? ReadAuthority(ServeOptions options, IssuingAuthority? issuer)
    {
        var before = Path.Combine(options.DataFolder, IssuingAuthority.OwnFile);
        var known = issuer?.Trusted ?? [];
        if (options.DeviceIssuer is not null && File.Exists(before)) known.AddRange(IssuingAuthority.Open(before).Trusted);
        if (options.DeviceAuthority is null && known.Count == 0) return null;
        var path = options.DeviceAuthority ?? options.DeviceIssuer ?? before;
        try
        {
            if (options.DeviceAuthority is { } named) known.AddRange(ClientAuthority.Parse(File.ReadAllText(named)).Certificates);
            return ClientAuthority.Of(known);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserError($"The devices' authority {path} cannot be used: {e.Message}", "It is a PEM file with certificates of authorities.", e);
        }
    }
}
