using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.UpdateServer.Certificates;

/// <summary>The server's own authority: a key in a file that issues, below a root whose key need not be on the server (RFC 5280).</summary>
internal sealed class IssuingAuthority : IDeviceIssuer
{
    /// <summary>File of the authority that the server makes for itself.</summary>
    public const string OwnFile = "device-authority.pem";

    private const string RootSuffix = " root";
    private const int SerialLength = 16, RootYears = 20, IssuingYears = 10, LongestChain = 5;
    private static readonly TimeSpan Leeway = TimeSpan.FromDays(1);

    private readonly ECDsa _key;
    private readonly X509Certificate2[] _trusted;

    private IssuingAuthority(IReadOnlyList<X509Certificate2> chain, X509Certificate2[] trusted, ECDsa key) => (Chain, _trusted, _key) = (chain, trusted, key);

    /// <inheritdoc/>
    public IReadOnlyList<X509Certificate2> Chain { get; }

    /// <summary>All authorities in the file: also one that issued before, whose certificates hold on.</summary>
    public X509Certificate2Collection Trusted => new(_trusted);

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
            if (!ClientAuthority.IsAuthority(issuing)) throw new InvalidDataException($"{issuing.Subject} is no certificate of an authority");
            var chain = new List<X509Certificate2> { issuing };
            while (chain[^1].Subject != chain[^1].Issuer && chain.Count < LongestChain)
                chain.Add(certificates.FirstOrDefault(certificate => certificate.Subject == chain[^1].Issuer) ?? throw new InvalidDataException($"the certificate of {chain[^1].Issuer}, which is above {chain[^1].Subject}, is missing"));
            if (chain[^1].Subject != chain[^1].Issuer) throw new InvalidDataException("there is no root above it");
            if (!issuing.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Any()) throw new InvalidDataException($"{issuing.Subject} has no subject key identifier");
            return new IssuingAuthority(chain, [.. certificates.Where(ClientAuthority.IsAuthority)], key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException or InvalidDataException)
        {
            throw new UserError($"The devices' issuing authority {path} cannot be used: {e.Message}", "It is a PEM file with an EC key, its certificate, and the certificates above it: appliance-server authority makes one.", e);
        }
    }

    /// <summary>Opens the authority in the data folder, which is made when it is not there.</summary>
    /// <param name="dataFolder">The folder.</param>
    /// <param name="hasIssued">Whether devices have certificates of it.</param>
    /// <param name="time">Clock.</param>
    /// <exception cref="UserError">It cannot be used, or is missing although devices have certificates of it.</exception>
    public static IssuingAuthority OpenOwn(string dataFolder, Func<bool> hasIssued, TimeProvider time)
    {
        var path = Path.Combine(dataFolder, OwnFile);
        if (!File.Exists(path) && hasIssued()) throw new UserError($"The devices' authority {path} is missing, and devices have certificates of it: a new one would lock them out.", "Put it back from a backup, or name the authority with --device-issuer.");
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
        using var root = Authority($"CN={X500Escape(name)}{RootSuffix}", rootKey, pathLength: 1).CreateSelfSigned(now - Leeway, now.AddYears(RootYears));
        var (rootPem, keyPem) = (root.ExportCertificatePem() + "\n", rootKey.ExportPkcs8PrivateKeyPem() + "\n");
        return (keyPem, rootPem, MakeBelow(keyPem, rootPem, now));
    }

    /// <summary>Makes a new issuing authority below a root.</summary>
    /// <param name="rootKey">The root's key (PEM).</param>
    /// <param name="rootPem">The root's certificate (PEM).</param>
    /// <param name="now">The time.</param>
    /// <returns>What the server gets.</returns>
    /// <exception cref="ArgumentException">The key is another one's.</exception>
    public static string MakeBelow(string rootKey, string rootPem, DateTimeOffset now)
    {
        using var root = X509Certificate2.CreateFromPem(rootPem, rootKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Authority(root.Subject.EndsWith(RootSuffix, StringComparison.Ordinal) ? root.Subject[..^RootSuffix.Length] + " issuing" : root.Subject + " issuing", key, pathLength: 0);
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var (until, end) = (now.AddYears(IssuingYears), new DateTimeOffset(root.NotAfter.ToUniversalTime()));
        using var issuing = request.Create(root, now - Leeway, until < end ? until : end, NewSerial());
        return $"{key.ExportPkcs8PrivateKeyPem()}\n{issuing.ExportCertificatePem()}\n{root.ExportCertificatePem()}\n";
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
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ClientAuthority.ClientAuthentication)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(key, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuing, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var end = issuing.NotAfter.ToUniversalTime();
        if (from.UtcDateTime >= end) throw new UserError($"The authority that issues devices' certificates has ended on {end:yyyy-MM-dd}.", "appliance-server authority makes a new one below the same root.");
        return request.Create(issuing.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), from, until.UtcDateTime < end ? until : end, NewSerial());
    }

    private static byte[] NewSerial()
    {
        var serial = RandomNumberGenerator.GetBytes(SerialLength);
        serial[0] &= 0x7f; // a positive number
        return serial;
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
