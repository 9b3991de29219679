using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Run;
using Appliance.ImageBuilder.Workloads;

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

    /// <summary>Digest of what a name stands for.</summary>
    public string DigestOf(string name) => SomeImage.Run("skopeo", "inspect", "--format", "{{.Digest}}", $"docker://{Address}/{name}").Trim();

    /// <summary>Puts an index that names an image for amd64 under a name, and gives its digest.</summary>
    public string PushIndex(Temporary folder, string name, string image)
    {
        var manifest = Encoding.UTF8.GetBytes(SomeImage.Run("skopeo", "inspect", "--raw", $"docker://{Address}/{image}"));
        var entry = PlainImage.Descriptor("application/vnd.oci.image.manifest.v1+json", OciDigest.Of(manifest), manifest.Length);
        entry["platform"] = new JsonObject { ["architecture"] = "amd64", ["os"] = "linux" };
        var index = folder.Write("index.json", new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = "application/vnd.oci.image.index.v1+json", ["manifests"] = new JsonArray(entry) }.ToJsonString());
        var (repository, tag) = (name[..name.IndexOf(':', StringComparison.Ordinal)], name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..]);
        SomeImage.Run("curl", "--silent", "--show-error", "--fail", "--insecure", "--request", "PUT", "--header", "Content-Type: application/vnd.oci.image.index.v1+json", "--data-binary", $"@{index}", $"https://{Address}/v2/{repository}/manifests/{tag}");
        return OciDigest.Of(File.ReadAllBytes(index));
    }

    /// <summary>Signs a digest as cosign does with a key of its own: by openssl, with the signature as an image beside.</summary>
    public void Sign(Temporary folder, string repository, string digest, string key)
    {
        var payload = folder.Write("payload.json", $$$"""{"critical":{"identity":{"docker-reference":"{{{Address}}}/{{{repository}}}"},"image":{"docker-manifest-digest":"{{{digest}}}"},"type":"cosign container image signature"},"optional":null}""");
        SomeImage.Run("openssl", "dgst", "-sha256", "-sign", key, "-out", folder["payload.sig"], payload);
        var image = Directory.CreateDirectory(folder[$"signature-{Guid.NewGuid():N}"]).FullName;
        var (content, config) = (File.ReadAllBytes(payload), "{}"u8.ToArray());
        var layer = PlainImage.Descriptor("application/vnd.dev.cosign.simplesigning.v1+json", OciDigest.Of(content), content.Length);
        layer["annotations"] = new JsonObject { ["dev.cosignproject.cosign/signature"] = Convert.ToBase64String(File.ReadAllBytes(folder["payload.sig"])) };
        var manifest = new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = "application/vnd.oci.image.manifest.v1+json", ["config"] = PlainImage.Descriptor("application/vnd.oci.image.config.v1+json", OciDigest.Of(config), config.Length), ["layers"] = new JsonArray(layer) };
        File.WriteAllText(Path.Combine(image, "version"), "Directory Transport Version: 1.1\n");
        File.WriteAllText(Path.Combine(image, "manifest.json"), manifest.ToJsonString());
        foreach (var blob in new[] { content, config }) File.WriteAllBytes(Path.Combine(image, OciDigest.HexOf(OciDigest.Of(blob))), blob);
        SomeImage.Run("skopeo", "copy", $"dir:{image}", $"docker://{Address}/{repository}:sha256-{OciDigest.HexOf(digest)}.sig");
    }

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
