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
internal sealed class PageCertificate
{
    /// <summary>Its file in the supervisor's folder.</summary>
    public const string FileName = "page.pem";

    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Until = new(2049, 12, 31, 0, 0, 0, TimeSpan.Zero); // last year of UTCTime, RFC 5280, 4.1.2.5

    private readonly Func<string> _hostname;
    private X509Certificate2 _current;

    /// <summary>Loads the certificate, or makes it.</summary>
    public PageCertificate(string path, Func<string> hostname)
    {
        (Path, _hostname) = (path, hostname);
        _current = LoadOrCreate();
    }

    /// <summary>Raised when it is another one.</summary>
    public event Action? Changed;

    /// <summary>Its file.</summary>
    public string Path { get; }

    /// <summary>The certificate with its key, as the page shows it now.</summary>
    public X509Certificate2 Current => Volatile.Read(ref _current);

    /// <summary>Makes a new one, as the file has it.</summary>
    public string Create() => PemCertificate.CreateSelfSigned(_hostname(), From, Until);

    /// <summary>Has the page show what is in the file from now on.</summary>
    public void Load()
    {
        Volatile.Write(ref _current, PemCertificate.Load(File.ReadAllText(Path))); // the one before is still some connection's
        Changed?.Invoke();
    }

    private X509Certificate2 LoadOrCreate()
    {
        if (File.Exists(Path))
        {
            try
            {
                return PemCertificate.Load(File.ReadAllText(Path));
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException or IOException)
            {
                Log.Warning("The page's certificate {Path} is damaged ({Reason}); making a new one", Path, e.Message);
            }
        }
        var pem = Create();
        DurableFile.Write(Path, Encoding.ASCII.GetBytes(pem));
        Log.Information("Made a certificate for the status page in {Path}", Path);
        return PemCertificate.Load(pem);
    }
}
