using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;
using Appliance.Core.Access;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Fleet;

/// <summary>A key of the device, and the certificate for it once that was issued; both in PEM form.</summary>
/// <param name="Key">The private key (PKCS#8).</param>
/// <param name="Certificate">The certificate, or null while there is none.</param>
internal sealed record DeviceCredential(string Key, string? Certificate)
{
    /// <summary>The request for the certificate (PKCS#10 in base64), until there is one: a server that lets wait wants to see the same again (RFC 7030, 4.2.3).</summary>
    public string? Request { get; init; }

    /// <summary>Whether it has a certificate.</summary>
    [JsonIgnore]
    public bool IsIssued => Certificate is not null;

    /// <summary>A new key, and the request for its certificate (RFC 2986).</summary>
    public static DeviceCredential Create(string deviceId)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(deviceId);
        return new DeviceCredential(key.ExportPkcs8PrivateKeyPem(), null) { Request = Convert.ToBase64String(new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256).CreateSigningRequest()) };
    }

    /// <summary>The certificate with its key.</summary>
    /// <exception cref="CryptographicException">It is damaged.</exception>
    public X509Certificate2 Load() => PemCertificate.Load($"{Certificate}\n{Key}\n");

    /// <summary>The certificate alone.</summary>
    /// <exception cref="CryptographicException">It is damaged.</exception>
    public X509Certificate2 Read() => X509Certificate2.CreateFromPem(Certificate!);

    /// <summary>The key.</summary>
    /// <exception cref="CryptographicException">It is damaged.</exception>
    /// <exception cref="ArgumentException">It is none.</exception>
    public ECDsa ReadKey()
    {
        var key = ECDsa.Create();
        key.ImportFromPem(Key);
        return key;
    }

    /// <summary>The credential with the certificate that was issued for its key.</summary>
    /// <param name="issued">What the server answers: that certificate, and perhaps those of authorities.</param>
    /// <param name="deviceId">Whom it has to be for.</param>
    /// <param name="clock">Until a time server has set it, it may be behind: it tells what has ended, and not what has not begun.</param>
    /// <exception cref="InvalidDataException">It is for another key or device, or does not hold now.</exception>
    public DeviceCredential With(X509Certificate2Collection issued, string deviceId, DeviceClock clock)
    {
        using var key = ReadKey();
        var own = key.ExportSubjectPublicKeyInfo();
        var certificate = issued.FirstOrDefault(one => one.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(own))
            ?? throw new InvalidDataException(issued.Count == 0 ? "there is none" : "it is for another key");
        if (certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is var name && name != deviceId) throw new InvalidDataException($"it is for {name}");
        var (from, until, now) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime(), clock.GetUtcNow());
        if ((clock.IsSet && now < from) || now >= until) throw new InvalidDataException($"it holds from {from:u} to {until:u}, and the device's clock says {now.UtcDateTime:u}");
        return this with { Certificate = certificate.ExportCertificatePem(), Request = null };
    }

    /// <inheritdoc/>
    public override string ToString() => "***";
}
