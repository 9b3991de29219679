using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.Core.Access;

/// <summary>
/// The authority whose certificates log in to a device without a password (RFC 5280): a PEM file of its image. Nobody can be asked
/// whether a certificate was revoked on a device that is often offline, so give them short lives.
/// </summary>
public sealed class ClientAuthority
{
    /// <summary>Path of the file in the image; without it only the password logs in.</summary>
    public const string FilePath = "/usr/lib/appliance/trust/clients.pem";

    /// <summary>What a certificate for clients is for: id-kp-clientAuth (RFC 5280, 4.2.1.12).</summary>
    public const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private ClientAuthority(X509Certificate2Collection certificates) => Certificates = certificates;

    /// <summary>The authorities, and intermediate ones.</summary>
    public X509Certificate2Collection Certificates { get; }

    /// <summary>Reads PEM text.</summary>
    /// <exception cref="InvalidDataException">It has no certificate that could be trusted, or a key that belongs nowhere near a device.</exception>
    public static ClientAuthority Parse(string pem) => Of(PemCertificate.ReadPublic(pem));

    /// <summary>Takes certificates.</summary>
    /// <exception cref="InvalidDataException">One of them cannot be trusted, or none is one to begin from.</exception>
    public static ClientAuthority Of(X509Certificate2Collection certificates)
    {
        if (certificates.FirstOrDefault(certificate => !IsAuthority(certificate)) is { } leaf) throw new InvalidDataException($"{leaf.Subject} is no certificate of an authority");
        if (certificates.All(certificate => certificate.Subject != certificate.Issuer)) throw new InvalidDataException("it holds no self-signed certificate to begin from");
        return new ClientAuthority(certificates);
    }

    /// <summary>How a chain is built: from this authority alone, without asking anybody.</summary>
    /// <param name="at">The moment at which it is to hold.</param>
    public X509ChainPolicy PolicyAt(DateTimeOffset at)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true, VerificationTime = at.UtcDateTime };
        policy.CustomTrustStore.AddRange(Certificates);
        policy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        return policy;
    }

    /// <summary>Why a certificate does not log in; null when it does.</summary>
    public string? Fault(X509Certificate2 certificate, DateTimeOffset at)
    {
        if (at < certificate.NotBefore) return $"it is good from {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd HH:mm} UTC, and the device's clock says {at.UtcDateTime:yyyy-MM-dd HH:mm}";
        if (at > certificate.NotAfter) return $"it ended at {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd HH:mm} UTC, and the device's clock says {at.UtcDateTime:yyyy-MM-dd HH:mm}";
        using var chain = new X509Chain { ChainPolicy = PolicyAt(at) };
        return chain.Build(certificate) ? null : $"the device's authority did not make it for that ({chain.ChainStatus[0].StatusInformation.Trim().TrimEnd('.')})";
    }

    /// <summary>Whether a certificate is an authority's (RFC 5280, 4.2.1.9).</summary>
    public static bool IsAuthority(X509Certificate2 certificate) => certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(constraints => constraints.CertificateAuthority);
}
