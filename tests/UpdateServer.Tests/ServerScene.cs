using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Appliance.Core.Access;
using Appliance.Core.Tuf.Keys;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Rollouts;
using Appliance.UpdateServer.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace UpdateServer.Tests;

/// <summary>The whole server, listening on loopback, with a database of its own.</summary>
internal sealed class ServerScene : IAsyncDisposable
{
    public const string GatewayToken = "a-gateway-token-of-this-test";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("server");
    private readonly FleetDatabase _database;
    private WebApplication? _application;

    private ServerScene(FleetDatabase database) => _database = database;

    public FleetDatabase Database => _database;
    public Uri Address { get; private set; } = null!;
    public string DataFolder => Directory.CreateDirectory(Path.Combine(_folder.FullName, "data")).FullName;

    /// <summary>A key of an administrator.</summary>
    public string Key { get; private set; } = "";

    /// <summary>The management API with that key.</summary>
    public HttpClient Admin { get; private set; } = null!;

    /// <summary>Starts a server.</summary>
    /// <param name="kind">Its database.</param>
    /// <param name="repository">The repository that it hosts.</param>
    /// <param name="time">Its clock.</param>
    /// <param name="poll">How often it tells devices to ask.</param>
    /// <param name="secure">Whether it listens with TLS and a certificate of its own making.</param>
    /// <param name="issuer">The authority that issues devices' certificates.</param>
    /// <param name="factory">The authority whose certificates devices log in with, beside its own.</param>
    /// <param name="onlineKeys">Keys with which it publishes.</param>
    /// <param name="serverTrust">What devices are to trust it by, beside the certificate of its own making.</param>
    public static async Task<ServerScene> StartAsync(DatabaseKind kind, string? repository = null, TimeProvider? time = null, TimeSpan? poll = null, bool secure = false, KeyFolder? onlineKeys = null, string? issuer = null, string? factory = null, string? serverTrust = null)
    {
        var folder = Directory.CreateTempSubdirectory("fleet").FullName;
        var scene = new ServerScene(kind == DatabaseKind.Sqlite ? FleetDatabase.Sqlite(Path.Combine(folder, "fleet.db")) : FleetDatabase.Postgres(await PostgresServer.CreateDatabaseAsync()));
        await scene._database.MigrateAsync(Token);
        if (serverTrust is not null) ServerCertificate.Open(new ServeOptions { DataFolder = scene.DataFolder, Listen = new Uri("https://127.0.0.1") }, TimeProvider.System);
        var options = new ServeOptions { ServerTrust = serverTrust is null ? null : $"{scene.Trust()}\n{serverTrust}", DataFolder = scene.DataFolder, Repository = repository, OnlineKeys = onlineKeys, DeviceIssuer = issuer, DeviceAuthority = factory, Listen = new Uri($"{(secure ? "https" : "http")}://127.0.0.1:0"), GatewayTokenHash = SecretToken.Hash(GatewayToken), Poll = poll ?? TimeSpan.FromMinutes(5) };
        scene._application = ServerApplication.Build(options, scene._database, time ?? TimeProvider.System);
        await scene._application.StartAsync(Token);
        scene.Address = new Uri(scene._application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        scene.Admin = scene.Client("Bearer", scene.Key = await scene.KeyAsync("anna", Role.Admin));
        return scene;
    }

    public T Service<T>() where T : notnull => _application!.Services.GetRequiredService<T>();

    public HttpClient Client(string scheme, string token) => new(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }) { BaseAddress = Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue(scheme, token) } };

    /// <summary>The certificate that it made (PEM), by which clients trust it.</summary>
    public string Trust()
    {
        const string end = "END CERTIFICATE-----";
        var pem = File.ReadAllText(Path.Combine(DataFolder, "server.pem"));
        return pem[..(pem.IndexOf(end, StringComparison.Ordinal) + end.Length)];
    }

    /// <summary>SHA-256 of the certificate that it made.</summary>
    public string Fingerprint()
    {
        using var certificate = ServerCertificate.Open(new ServeOptions { DataFolder = DataFolder, Listen = Address }, TimeProvider.System).Certificate;
        return PemCertificate.Fingerprint(certificate);
    }

    /// <summary>Makes a key.</summary>
    public Task<string> KeyAsync(string name, Role role) => Service<KeyAuthentication>().CreateAsync(name, role, null, "test", Token);

    /// <summary>A device that speaks DDI.</summary>
    public DdiDevice Device(string id) => new(Client("GatewayToken", GatewayToken), id);

    /// <summary>Issues a certificate to a device, with its key.</summary>
    public async Task<X509Certificate2> IssueAsync(string id)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var device = await Service<DeviceAuthentication>().FindOrRegisterAsync(id, Token) ?? throw new InvalidOperationException();
        using var issued = await Service<DeviceCertificates>().IssueAsync(device, new CertificateRequest($"CN={id}", key, HashAlgorithmName.SHA256), null, renews: false, Token);
        return issued.CopyWithPrivateKey(key);
    }

    /// <summary>A device asks what there is to do, by its certificate.</summary>
    public async Task ShowAsync(string id, X509Certificate2 certificate)
    {
        using var shown = certificate;
        using var http = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true, ClientCertificateOptions = ClientCertificateOption.Manual, ClientCertificates = { shown } }) { BaseAddress = Address };
        using var answer = await http.GetAsync($"/default/controller/v1/{id}", Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    /// <summary>Uploads a file as a release, and says its number.</summary>
    public async Task<long> UploadAsync(string name, string version, byte[] content)
    {
        using var answer = await Admin.PutAsync($"/api/v1/releases/{name}/{version}/files/{name}.swu", new ByteArrayContent(content), Token);
        return (long)(await ReadAsync(answer))["id"]!;
    }

    /// <summary>Asks the management API.</summary>
    public async Task<JsonNode> GetAsync(string path) => await ReadAsync(await Admin.GetAsync(path, Token));

    /// <summary>Tells the management API.</summary>
    public async Task<JsonNode> PostAsync(string path, object? body = null) => await ReadAsync(await Admin.PostAsJsonAsync(path, body ?? new { }, Token));

    /// <summary>A page, as somebody sees it who has logged in with the administrator's key.</summary>
    public async Task<string> PageAsync(string path)
    {
        using var answer = await AskPageAsync(new HttpRequestMessage(HttpMethod.Get, path));
        return await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token);
    }

    /// <summary>Sends a form of a page.</summary>
    public Task<HttpResponseMessage> SendFormAsync(string path, params (string Name, string Value)[] fields) =>
        AskPageAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))) });

    private async Task<HttpResponseMessage> AskPageAsync(HttpRequestMessage request)
    {
        using var http = new HttpClient(new HttpClientHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = Address };
        request.Headers.Add("Cookie", $"__Host-fleet={Key}");
        request.Headers.Add("Origin", Address.GetLeftPart(UriPartial.Authority));
        return await http.SendAsync(request, Token);
    }

    /// <summary>Gives a device a release.</summary>
    public async Task<long> AssignAsync(string device, long release, bool forced = false, bool confirm = false, string? window = null) =>
        (long)await PostAsync($"/api/v1/devices/{device}/actions", new { release, forced, confirm, window });

    /// <summary>Moves rollouts on now.</summary>
    public Task StepAsync() => Service<RolloutEngine>().StepAsync(Token);

    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
        {
            await _application.StopAsync(CancellationToken.None);
            await _application.DisposeAsync();
        }
        Admin.Dispose();
        await _database.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    internal static async Task<JsonNode> ReadAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.StatusCode is HttpStatusCode.OK, $"{answer.RequestMessage!.Method} {answer.RequestMessage.RequestUri}: {answer.StatusCode} {text}");
        return text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!;
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;
}
