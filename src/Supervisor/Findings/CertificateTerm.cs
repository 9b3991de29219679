using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Access;

namespace Appliance.Supervisor.Findings;

/// <summary>How long a certificate is good that the device lives by.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Until">Its last moment.</param>
/// <param name="Renewal">How there comes to be a newer one.</param>
internal sealed record CertificateTerm(string Name, DateTimeOffset Until, string Renewal)
{
    /// <summary>The page's certificate, and those whose holders log in.</summary>
    public static IReadOnlyList<CertificateTerm> Of(X509Certificate2 page, ClientAuthority? clients) =>
    [
        new("of the status page", page.NotAfter.ToUniversalTime(), "Remove page.pem from /var/lib/appliance/supervisor and restart appliance-supervisor: it makes a new one."),
        .. (clients?.Certificates ?? []).Select(authority => new CertificateTerm(authority.Subject, authority.NotAfter.ToUniversalTime(), "Bring an image with a newer one in access.clientAuthority; until then the password logs in.")),
    ];
}
