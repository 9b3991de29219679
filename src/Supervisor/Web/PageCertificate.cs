using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;
using Serilog;

namespace Appliance.Supervisor.Web;

/// <summary>
/// The device's own self-signed certificate: made at first boot, kept in one file with its key (0600), made anew when that
/// file is damaged. Its life does not depend on the device's clock being right.
/// </summary>
internal static class PageCertificate
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Until = new(2049, 12, 31, 0, 0, 0, TimeSpan.Zero); // last year of UTCTime, RFC 5280, 4.1.2.5

    /// <summary>Loads the certificate, or makes it.</summary>
    public static X509Certificate2 LoadOrCreate(string path, string hostname)
    {
        if (File.Exists(path))
        {
            try
            {
                return PemCertificate.Load(File.ReadAllText(path));
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException or IOException)
            {
                Log.Warning("The page's certificate {Path} is damaged ({Reason}); making a new one", path, e.Message);
            }
        }
        var pem = PemCertificate.CreateSelfSigned(hostname, From, Until);
        DurableFile.Write(path, Encoding.ASCII.GetBytes(pem));
        Log.Information("Made a certificate for the status page in {Path}", path);
        return PemCertificate.Load(pem);
    }
}
