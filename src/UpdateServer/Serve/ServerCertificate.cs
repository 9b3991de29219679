using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.UpdateServer.Serve;

/// <summary>The certificate of the server: given, or made once and kept in the data folder.</summary>
/// <param name="Certificate">It, with its key.</param>
/// <param name="Above">The certificates above it, as far as its file has them.</param>
internal sealed record ServerCertificate(X509Certificate2 Certificate, X509Certificate2Collection Above)
{
    private const string FileName = "server.pem";
    private const int Years = 10;

    /// <summary>Loads or makes it.</summary>
    /// <exception cref="UserError">The given one cannot be used.</exception>
    public static ServerCertificate Open(ServeOptions options, TimeProvider time)
    {
        var own = Path.Combine(options.DataFolder, FileName);
        try
        {
            if (options.Certificate is { } path)
            {
                var pem = File.ReadAllText(path);
                return new ServerCertificate(PemCertificate.Load(options.CertificateKey is { } key ? $"{pem}\n{File.ReadAllText(key)}" : pem), PemCertificate.ReadAbove(pem));
            }
            if (!File.Exists(own)) DurableFile.Write(own, Encoding.ASCII.GetBytes(PemCertificate.CreateSelfSigned(Dns.GetHostName(), time.GetUtcNow().AddDays(-1), time.GetUtcNow().AddYears(Years))));
            return new ServerCertificate(PemCertificate.Load(File.ReadAllText(own)), []);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new UserError($"The certificate {options.Certificate ?? own} cannot be used: {e.Message}", "It is a PEM file: the server's certificate first, those above it after it; its key comes in the same file or in --certificate-key.", e);
        }
    }
}
