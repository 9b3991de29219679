using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Core.Tests.Access;

/// <summary>An authority, and the certificates it makes.</summary>
public sealed class SomeAuthority : IDisposable
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2", ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), Until = new(2040, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly X509Certificate2 _certificate;

    /// <summary>Makes an authority.</summary>
    public SomeAuthority(string name = "edge operators")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        _certificate = request.CreateSelfSigned(From, Until);
    }

    /// <summary>What goes into an image.</summary>
    public string Pem => _certificate.ExportCertificatePem() + "\n";

    /// <summary>A certificate, and its key, in PEM form.</summary>
    public string Make(string name, bool forClients = true, DateTimeOffset? from = null, DateTimeOffset? until = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(forClients ? ClientAuthentication : ServerAuthentication)], critical: false));
        using var certificate = request.Create(_certificate, from ?? From, until ?? Until.AddDays(-1), RandomNumberGenerator.GetBytes(8));
        return certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
    }

    /// <inheritdoc/>
    public void Dispose() => _certificate.Dispose();
}
