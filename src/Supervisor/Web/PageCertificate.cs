using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;
using Serilog;

namespace Appliance.Supervisor.Web;

/// <summary>
/// The device's own self-signed certificate: made at first boot, kept in one file with its key (0600), made anew when that
/// file is damaged. Its life does not depend on the device's clock being right.
/// </summary>
internal static class PageCertificate
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Until = new(2049, 12, 31, 0, 0, 0, TimeSpan.Zero); // last year of UTCTime, RFC 5280, 4.1.2.5

    /// <summary>Loads the certificate, or makes it.</summary>
    public static X509Certificate2 LoadOrCreate(string path, string hostname)
    {
        if (File.Exists(path))
        {
            try
            {
                return PemCertificate.Load(File.ReadAllText(path));
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException or IOException)
            {
                Log.Warning("The page's certificate {Path} is damaged ({Reason}); making a new one", path, e.Message);
            }
        }
        var pem = Create(hostname);
        DurableFile.Write(path, Encoding.ASCII.GetBytes(pem));
        Log.Information("Made a certificate for the status page in {Path}", path);
        return PemCertificate.Load(pem);
    }

    private static string Create(string hostname)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={hostname}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(hostname);
        names.AddDnsName($"{hostname}.local");
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false)); // serverAuth
        using var certificate = request.CreateSelfSigned(From, Until);
        return certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
    }
}
