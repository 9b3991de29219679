using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Access;

namespace Appliance.Core.Fleet;

/// <summary>What a fleet's server is trusted by: certificates of its authority, or its own when that is self-signed.</summary>
public sealed class ServerTrust
{
    /// <summary>Where a server says what it is to be trusted by from now on; devices take that over (docs/fleet.md).</summary>
    public const string RolloverPath = "/.well-known/appliance/server-trust";

    private readonly X509Certificate2Collection _certificates;

    private ServerTrust(X509Certificate2Collection certificates) => _certificates = certificates;

    /// <summary>Reads PEM text.</summary>
    /// <exception cref="InvalidDataException">It has no certificate that could be trusted, or a key that belongs nowhere near a device.</exception>
    public static ServerTrust Parse(string pem) => new(PemCertificate.ReadPublic(pem));

    /// <summary>The certificates, in PEM form: each once, in an order that does not go by the file's.</summary>
    public string Pem => string.Join('\n', _certificates.DistinctBy(PemCertificate.Fingerprint).OrderBy(PemCertificate.Fingerprint, StringComparer.Ordinal).Select(one => one.ExportCertificatePem()));

    /// <summary>What the certificates are called.</summary>
    public string Names => string.Join(", ", _certificates.Select(one => one.GetNameInfo(X509NameType.SimpleName, forIssuer: false)));

    /// <summary>When the first one ends.</summary>
    public DateTimeOffset Until => _certificates.Min(one => one.NotAfter.ToUniversalTime());

    /// <summary>How a server's chain is built: from these certificates alone, without asking anybody.</summary>
    public X509ChainPolicy Policy()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(_certificates);
        return policy;
    }
}
