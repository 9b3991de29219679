using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Core.Access;

/// <summary>Certificates as files and people have them.</summary>
public static class PemCertificate
{
    /// <summary>Reads a certificate and its key from one PEM text.</summary>
    /// <exception cref="CryptographicException">One of them is missing or damaged.</exception>
    /// <exception cref="ArgumentException">The key is another certificate's.</exception>
    public static X509Certificate2 Load(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem, pem);
        // A certificate straight from PEM has an ephemeral key, which TLS does not take on every platform.
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>Reads certificates that are to be trusted, without any key.</summary>
    /// <exception cref="InvalidDataException">There is none, or a key that belongs nowhere near a device.</exception>
    public static X509Certificate2Collection ReadPublic(string pem)
    {
        if (pem.Contains("PRIVATE KEY-----", StringComparison.Ordinal)) throw new InvalidDataException("it holds a private key, which stays with the authority");
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
        return certificates.Count > 0 ? certificates : throw new InvalidDataException("it holds no certificate in PEM form");
    }

    /// <summary>The certificates in a PEM text that follow the first one: those above it.</summary>
    /// <exception cref="CryptographicException">One is damaged.</exception>
    public static X509Certificate2Collection ReadAbove(string pem)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(pem);
        if (all.Count > 0) all.RemoveAt(0);
        return all;
    }

    /// <summary>Makes a self-signed certificate of a server, with its key, as <see cref="Load"/> reads them.</summary>
    /// <param name="hostname">The server's name; it is also known by it in <c>.local</c>, and as this machine itself.</param>
    /// <param name="from">When it begins.</param>
    /// <param name="until">When it ends.</param>
    public static string CreateSelfSigned(string hostname, DateTimeOffset from, DateTimeOffset until)
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
        using var certificate = request.CreateSelfSigned(from, until);
        return certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
    }

    /// <summary>SHA-256 of a certificate in hexadecimal, as consoles show it and people compare it.</summary>
    public static string Fingerprint(X509Certificate certificate) => certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
}
