using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.ImageBuilder.Run;

namespace ImageBuilder.Tests.Workloads;

/// <summary>A real registry (Debian's docker-registry) on this machine, with a certificate that programs started from here trust.</summary>
internal sealed class LocalRegistry : IAsyncDisposable
{
    private const string Trusted = "SSL_CERT_FILE";
    private readonly Process _process;

    private LocalRegistry(Process process, int port) => (_process, Address) = (process, $"localhost:{port}");

    /// <summary>Host and port.</summary>
    public string Address { get; }

    /// <summary>Starts one that keeps its images in a folder.</summary>
    public static async Task<LocalRegistry> StartAsync(Temporary folder, CancellationToken cancellationToken)
    {
        var port = RunCommand.FreePort(25000);
        var (certificate, key) = WriteCertificate(folder);
        var settings = folder.Write("registry.yml", $"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder["registry"]}}}\nhttp: {{addr: 'localhost:{port}', tls: {{certificate: {certificate}, key: {key}}}}}\n");
        Environment.SetEnvironmentVariable(Trusted, certificate); // where skopeo looks
        var registry = new LocalRegistry(Process.Start(new ProcessStartInfo("docker-registry", ["serve", settings]) { RedirectStandardOutput = true, RedirectStandardError = true })!, port);
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        using var http = new HttpClient(handler);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            Assert.False(registry._process.HasExited, "docker-registry ended");
            try
            {
                using var answer = await http.GetAsync(new Uri($"https://{registry.Address}/v2/"), cancellationToken);
                if (answer.IsSuccessStatusCode) break;
            }
            catch (HttpRequestException)
            {
                // It still starts.
            }
        }
        return registry;
    }

    /// <summary>Puts the image of an archive under a name.</summary>
    public void Push(string archive, string name) => SomeImage.Run("skopeo", "copy", $"oci-archive:{archive}", $"docker://{Address}/{name}");

    public async ValueTask DisposeAsync()
    {
        Environment.SetEnvironmentVariable(Trusted, null);
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static (string Certificate, string Key) WriteCertificate(Temporary folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
        return (folder.Write("registry.crt", certificate.ExportCertificatePem()), folder.Write("registry.key", key.ExportPkcs8PrivateKeyPem()));
    }
}
