using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Run;

namespace Appliance.SystemTests.Fleet;

/// <summary>The update server as a process, with TLS, at QEMU's name of the host.</summary>
internal sealed class FleetServer : IAsyncDisposable
{
    /// <summary>A name that its certificate has as well, and nobody knows but who is told.</summary>
    public const string Name = "fleet.test";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fleet-server");
    private readonly int _port = RunCommand.FreePort(18443);
    private readonly HttpClient _http;
    private Process? _process;

    public FleetServer() => _http = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }) { BaseAddress = new Uri($"https://127.0.0.1:{_port}/api/v1/") };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(_folder.FullName, "data");

    /// <summary>Its address for the device.</summary>
    public string Address => $"https://10.0.2.2:{_port}";

    /// <summary>Its address by name.</summary>
    public string NamedAddress => $"https://{Name}:{_port}";

    /// <summary>What the device trusts it by.</summary>
    public string Trust { get; private set; } = "";

    /// <summary>Starts it, with a repository or without.</summary>
    public async Task StartAsync(string? repository = null)
    {
        var certificate = Path.Combine(_folder.FullName, "server.pem");
        await File.WriteAllTextAsync(certificate, MakeCertificate(), Token);
        Start(["serve", "--data", Data, "--listen", $"https://127.0.0.1:{_port}", "--certificate", certificate, .. repository is null ? Array.Empty<string>() : ["--repo", repository]]);
        for (var limit = DateTime.UtcNow.AddMinutes(1); ; Assert.True(DateTime.UtcNow < limit, "the server did not come up"))
        {
            try
            {
                using var answer = await _http.GetAsync("/readyz", Token);
                if (answer.IsSuccessStatusCode) break;
            }
            catch (HttpRequestException) when (!_process!.HasExited)
            {
                // It is not up yet.
            }
            await Task.Delay(200, Token);
        }
        using var key = Process.Start(new ProcessStartInfo(Program, ["key", "test", "--data", Data]) { RedirectStandardOutput = true })!;
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (await key.StandardOutput.ReadToEndAsync(Token)).Trim());
        await key.WaitForExitAsync(Token);
    }

    /// <summary>What a provision file says of the fleet, with a token for one device.</summary>
    /// <param name="address">The server as the device reaches it.</param>
    public async Task<string> InviteAsync(string address) => $"""
        fleet:
          server: {address}
          enrolmentToken: {(string)(await PostAsync("enrolment-tokens", new { name = "bench", uses = 1 }))["value"]!}
          trust: |
            {Trust.Trim().ReplaceLineEndings("\n    ")}
        """;

    public async Task<JsonNode> GetAsync(string path) => (await _http.GetFromJsonAsync<JsonNode>(path, Token))!;

    public async Task<JsonNode> PostAsync(string path, object body)
    {
        using var answer = await _http.PostAsJsonAsync(path, body, Token);
        var text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    /// <summary>Uploads a file.</summary>
    public async Task<JsonNode> PutAsync(string path, byte[] content)
    {
        using var answer = await _http.PutAsync(path, new ByteArrayContent(content), Token);
        var text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        _process?.Dispose();
        _folder.Delete(recursive: true);
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "appliance-server");

    private void Start(params string[] arguments) => _process = Process.Start(new ProcessStartInfo(Program, arguments))!;

    private string MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=fleet", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse("10.0.2.2"));
        names.AddDnsName(Name);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        Trust = certificate.ExportCertificatePem();
        return $"{Trust}\n{key.ExportPkcs8PrivateKeyPem()}\n";
    }
}
