using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;
using Appliance.Core.Access;

namespace Appliance.Supervisor.Fleet;

/// <summary>A key of the device, and the certificate for it once that was issued; both in PEM form.</summary>
/// <param name="Key">The private key (PKCS#8).</param>
/// <param name="Certificate">The certificate, or null while there is none.</param>
internal sealed record DeviceCredential(string Key, string? Certificate)
{
    /// <summary>Whether it has a certificate.</summary>
    [JsonIgnore]
    public bool IsIssued => Certificate is not null;

    /// <summary>A new key.</summary>
    public static DeviceCredential Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new DeviceCredential(key.ExportPkcs8PrivateKeyPem(), null);
    }

    /// <summary>The certificate with its key.</summary>
    /// <exception cref="CryptographicException">It is damaged.</exception>
    public X509Certificate2 Load() => PemCertificate.Load($"{Certificate}\n{Key}\n");

    /// <summary>The certificate alone.</summary>
    /// <exception cref="CryptographicException">It is damaged.</exception>
    public X509Certificate2 Read() => X509Certificate2.CreateFromPem(Certificate!);

    /// <summary>A request for a certificate (PKCS#10, RFC 2986).</summary>
    public byte[] Request(string deviceId)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(Key);
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(deviceId);
        return new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256).CreateSigningRequest();
    }

    /// <summary>The credential with a certificate that was issued for its key.</summary>
    /// <exception cref="InvalidDataException">The certificate is for another key or device, or does not hold now.</exception>
    public DeviceCredential With(X509Certificate2 certificate, string deviceId, DateTimeOffset now)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(Key);
        using var known = certificate.GetECDsaPublicKey();
        if (known is null || !known.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo())) throw new InvalidDataException("it is for another key");
        if (certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is var name && name != deviceId) throw new InvalidDataException($"it is for {name}");
        if (now < certificate.NotBefore.ToUniversalTime() || now >= certificate.NotAfter.ToUniversalTime()) throw new InvalidDataException($"it holds from {certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u}, and the device's clock says {now.UtcDateTime:u}");
        return this with { Certificate = certificate.ExportCertificatePem() };
    }
}
