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

    /// <summary>SHA-256 of a certificate in hexadecimal, as consoles show it and people compare it.</summary>
    public static string Fingerprint(X509Certificate certificate) => certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
}
