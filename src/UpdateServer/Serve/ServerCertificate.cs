using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.UpdateServer.Serve;

/// <summary>The certificate of the server: given, or made once and kept in the data folder.</summary>
internal static class ServerCertificate
{
    private const string FileName = "server.pem";
    private const int Years = 10;

    /// <summary>The certificates above it, as far as its file has them.</summary>
    /// <exception cref="UserError">The file cannot be used.</exception>
    public static X509Certificate2Collection OpenAbove(ServeOptions options)
    {
        try
        {
            return options.Certificate is { } path ? PemCertificate.ReadAbove(File.ReadAllText(path)) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UserError($"The certificates in {options.Certificate} cannot be used: {e.Message}", "It is a PEM file: the server's certificate first, those above it after it.", e);
        }
    }

    /// <summary>Loads or makes it.</summary>
    /// <exception cref="UserError">The given one cannot be used.</exception>
    public static X509Certificate2 Open(ServeOptions options, TimeProvider time)
    {
        var own = Path.Combine(options.DataFolder, FileName);
        try
        {
            if (options.Certificate is { } path) return PemCertificate.Load(File.ReadAllText(path) + "\n" + File.ReadAllText(options.CertificateKey ?? path));
            if (!File.Exists(own)) DurableFile.Write(own, Encoding.ASCII.GetBytes(PemCertificate.CreateSelfSigned(Dns.GetHostName(), time.GetUtcNow().AddDays(-1), time.GetUtcNow().AddYears(Years))));
            return PemCertificate.Load(File.ReadAllText(own));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new UserError($"The certificate {options.Certificate ?? own} cannot be used: {e.Message}", "It is a PEM file; its key comes in the same one or in --certificate-key.", e);
        }
    }
}
