using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Access;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Findings;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Support;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Appliance.Supervisor.Web;

/// <summary>The HTTPS surface: pages, their JSON, and <c>/healthz</c>. What anybody may fetch is read-only; the rest is for the owner.</summary>
internal static class StatusServer
{
    private static readonly string[] ReadMethods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Binds Kestrel with limits that a slow or hostile client cannot get past.</summary>
    /// <param name="kestrel">The server.</param>
    /// <param name="endpoint">Where it listens.</param>
    /// <param name="certificate">The page's certificate.</param>
    /// <param name="clients">The authority whose certificates log in, or null.</param>
    public static void Configure(KestrelServerOptions kestrel, IPEndPoint endpoint, PageCertificate certificate, ClientAuthority? clients)
    {
        kestrel.AddServerHeader = false;
        var shares = new ConnectionShares();
        kestrel.Limits.MaxConcurrentConnections = null; // shares says how many, and whose
        kestrel.Limits.MaxConcurrentUpgradedConnections = 0;
        kestrel.Limits.MaxRequestBodySize = 0;
        kestrel.Limits.MaxRequestHeaderCount = 50;
        kestrel.Limits.MaxRequestHeadersTotalSize = 16 << 10;
        kestrel.Limits.MaxRequestLineSize = 4 << 10;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(30);
        kestrel.Limits.MinResponseDataRate = new MinDataRate(240, TimeSpan.FromSeconds(5));
        kestrel.Limits.Http2.MaxStreamsPerConnection = 20;
        // Made at the first connection, and when the certificate is another one: it builds the certificate's chain, for which the
        // system's whole trust store is read.
        var lazy = NewOptions();
        certificate.Changed += () => Volatile.Write(ref lazy, NewOptions());
        void Secure(ListenOptions listen)
        {
            listen.Use(next => connection => shares.ServeAsync(connection, next));
            listen.UseHttps(new TlsHandshakeCallbackOptions { HandshakeTimeout = TimeSpan.FromSeconds(10), OnConnection = _ => ValueTask.FromResult(Volatile.Read(ref lazy).Value) });
        }

        if (endpoint.Address.Equals(IPAddress.IPv6Any)) kestrel.ListenAnyIP(endpoint.Port, Secure);
        else kestrel.Listen(endpoint, Secure);

        Lazy<SslServerAuthenticationOptions> NewOptions() => new(() => Options(certificate.Current, clients));
    }

    private static SslServerAuthenticationOptions Options(X509Certificate2 certificate, ClientAuthority? clients) => clients is null
        ? new() { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true) }
        : new()
        {
            // The authority's name goes along, so that browsers ask only those who have one of its certificates.
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true, SslCertificateTrust.CreateForX509Collection(clients.Certificates, sendTrustInHandshake: true)),
            ClientCertificateRequired = true,
            CertificateChainPolicy = clients.PolicyAt(DateTimeOffset.UtcNow),
            // Anybody may read the page: whether a certificate logs in is judged, and explained, when somebody logs in with it.
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is null or X509Certificate2,
        };

    /// <summary>Adds the routes.</summary>
    public static void Map(WebApplication app)
    {
        app.Use(async (context, next) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
            headers.XContentTypeOptions = "nosniff";
            headers.XFrameOptions = "DENY";
            // Not no-referrer: with it browsers do not say that a form is from this device (Origin: null).
            headers["Referrer-Policy"] = "same-origin";
            headers.CacheControl = "no-store";
            await next(context);
        });

        var device = app.Services.GetRequiredService<DeviceView>();
        var health = app.Services.GetRequiredService<HealthMonitor>();
        var findings = app.Services.GetRequiredService<FindingList>();
        var access = app.Services.GetRequiredService<OwnerAccess>();
        var (engine, schedule) = (app.Services.GetRequiredService<UpdateEngine>(), app.Services.GetRequiredService<UpdateSchedule>());
        var live = app.Services.GetRequiredService<LiveChanges>();
        var frame = new PageFrame(device.Facts);
        MapFor("/", context =>
        {
            var (caller, status) = (Caller.Of(context, access), device.Take());
            return Answers.Page(frame.Render(caller, "/", status.Health, Html.Live("/main", Overview(caller, status))));
        });
        MapFor("/main", context => Answers.Page(Overview(Caller.Of(context, access), device.Take())));
        MapFor(HealthPage.Path, context => Answers.Page(frame.Render(Caller.Of(context, access), HealthPage.Path, "health", Html.Live($"{HealthPage.Path}/live", HealthPage.Content(DeviceHealth.Of(health))))));
        Map($"{HealthPage.Path}/live", () => Answers.Page(HealthPage.Content(DeviceHealth.Of(health))));
        Map("/api/v1/status", () => Answers.Json(device.Take(), StatusJson.Default.DeviceStatus));
        Map("/api/v1/health", () => Answers.Json(DeviceHealth.Of(health), StatusJson.Default.DeviceHealth));
        Map("/api/v1/findings", () => Answers.Json(DeviceFinding.AllOf(findings), StatusJson.Default.IReadOnlyListDeviceFinding));
        Map("/healthz", () => health.Report is { State: HealthState.Healthy }
            ? Results.Text("ok\n")
            : Results.Text(string.Concat(health.Report.Reasons.Select(reason => reason + "\n")), statusCode: StatusCodes.Status503ServiceUnavailable));
        app.MapPrometheusScrapingEndpoint();
        app.MapGet("/events", (RequestDelegate)(context => live.ServeAsync(context, app.Lifetime.ApplicationStopping)));
        var actions = new ActionRoutes(app, access, frame);
        AccessRoutes.Map(app, actions, access, app.Services.GetRequiredService<ClientLogIn>(), frame);
        UpdateRoutes.Map(actions, frame, engine, schedule);
        WorkloadRoutes.Map(actions, frame, app.Services.GetRequiredService<WorkloadUpdates>(), engine);
        LogRoutes.Map(actions, frame, app.Services.GetRequiredService<JournalReader>(), device.Facts);
        FleetRoutes.Map(actions, frame, app.Services.GetRequiredService<FleetAgent>());
        CredentialRoutes.Map(actions, frame, app.Services.GetRequiredService<CredentialDesk>(), engine);
        DeviceRoutes.Map(actions, frame, device, app.Services.GetRequiredService<SupportBundle>(), app.Services.GetRequiredService<SupervisorObject>());
        MapFile("style.css", "text/css; charset=utf-8");
        MapFile("page.js", "text/javascript; charset=utf-8");
        MapFile("icon.svg", "image/svg+xml");
        MapFile("openapi.json", "application/json", "/api/v1/openapi.json");

        string Overview(Caller caller, DeviceStatus status) => StatusPage.Content(status, DeviceUpdates.Of(engine, schedule), DeviceFinding.AllOf(findings), caller.IsOwner ? caller.Session : null);

        void Map(string path, Func<IResult> answer) => MapFor(path, _ => answer());

        void MapFor(string path, Func<HttpContext, IResult> answer) => app.MapMethods(path, ReadMethods, (RequestDelegate)(context => answer(context).ExecuteAsync(context)));

        void MapFile(string name, string type, string? path = null)
        {
            var text = StaticFiles.Text(name);
            Map(path ?? $"/{name}", () => Results.Content(text, type));
        }
    }
}
