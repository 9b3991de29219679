using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;

namespace Appliance.UpdateServer.Certificates;

/// <summary>The server's own authority: a key in a file that issues, below a root whose key need not be on the server (RFC 5280).</summary>
internal sealed class IssuingAuthority : IDeviceIssuer
{
    /// <summary>File of the authority that the server makes for itself.</summary>
    public const string OwnFile = "device-authority.pem";

    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2"; // id-kp-clientAuth, RFC 5280, 4.2.1.12
    private const int SerialLength = 16, RootYears = 20, IssuingYears = 10;
    private static readonly TimeSpan Leeway = TimeSpan.FromDays(1);

    private readonly ECDsa _key;

    private IssuingAuthority(IReadOnlyList<X509Certificate2> chain, ECDsa key) => (Chain, _key) = (chain, key);

    /// <inheritdoc/>
    public IReadOnlyList<X509Certificate2> Chain { get; }

    /// <summary>Opens a file with the key, the issuing certificate, and those above it.</summary>
    /// <exception cref="UserError">It cannot be used.</exception>
    public static IssuingAuthority Open(string path)
    {
        try
        {
            var pem = File.ReadAllText(path);
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPem(pem);
            var key = ECDsa.Create();
            key.ImportFromPem(pem);
            var issuing = certificates.FirstOrDefault(certificate => certificate.GetECDsaPublicKey() is { } known && known.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo())) ?? throw new InvalidDataException("no certificate in it is the key's");
            if (!issuing.Extensions.OfType<X509BasicConstraintsExtension>().Any(constraints => constraints.CertificateAuthority)) throw new InvalidDataException($"{issuing.Subject} is no certificate of an authority");
            var chain = new List<X509Certificate2> { issuing };
            while (chain[^1].Subject != chain[^1].Issuer)
                chain.Add(certificates.FirstOrDefault(certificate => certificate.Subject == chain[^1].Issuer) ?? throw new InvalidDataException($"the certificate of {chain[^1].Issuer}, which is above {chain[^1].Subject}, is missing"));
            return new IssuingAuthority(chain, key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException or InvalidDataException)
        {
            throw new UserError($"The devices' issuing authority {path} cannot be used: {e.Message}", "It is a PEM file with an EC key, its certificate, and the certificates above it: appliance-server authority makes one.", e);
        }
    }

    /// <summary>Opens the authority in the data folder, which is made when it is not there.</summary>
    /// <exception cref="UserError">It cannot be used.</exception>
    public static IssuingAuthority OpenOwn(string dataFolder, TimeProvider time)
    {
        var path = Path.Combine(dataFolder, OwnFile);
        if (!File.Exists(path)) DurableFile.Write(path, Encoding.ASCII.GetBytes(Make("Appliance devices", time.GetUtcNow()).Issuing));
        return Open(path);
    }

    /// <summary>Makes a root and an issuing authority below it.</summary>
    /// <param name="name">Name of the root.</param>
    /// <param name="now">The time.</param>
    /// <returns>The root's key (PEM), which is needed again when the issuing authority ends; and what the server gets.</returns>
    public static (string RootKey, string Root, string Issuing) Make(string name, DateTimeOffset now)
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var root = Authority($"CN={X500Escape(name)} root", rootKey, pathLength: 1).CreateSelfSigned(now - Leeway, now.AddYears(RootYears));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Authority($"CN={X500Escape(name)} issuing", key, pathLength: 0);
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        using var issuing = request.Create(root, now - Leeway, now.AddYears(IssuingYears), RandomNumberGenerator.GetBytes(SerialLength));
        return (rootKey.ExportPkcs8PrivateKeyPem() + "\n", root.ExportCertificatePem() + "\n", $"{key.ExportPkcs8PrivateKeyPem()}\n{issuing.ExportCertificatePem()}\n{root.ExportCertificatePem()}\n");
    }

    /// <inheritdoc/>
    public X509Certificate2 Issue(PublicKey key, string deviceId, DateTimeOffset from, DateTimeOffset until)
    {
        var issuing = Chain[0];
        // What a device asks for beside its key does not count.
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(deviceId);
        var request = new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ClientAuthentication)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(key, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuing, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var end = issuing.NotAfter.ToUniversalTime();
        var serial = RandomNumberGenerator.GetBytes(SerialLength);
        serial[0] &= 0x7f; // a positive number
        return request.Create(issuing.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), from, until.UtcDateTime < end ? until : end, serial);
    }

    private static CertificateRequest Authority(string name, ECDsa key, int pathLength)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, pathLength, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request;
    }

    private static string X500Escape(string text) => text.All(letter => char.IsLetterOrDigit(letter) || letter is ' ' or '-' or '.') && text.Length is > 0 and <= 50 ? text : throw new UserError($"\"{text}\" cannot be an authority's name.", "Use letters, digits, spaces, dots and dashes.");
}
