using Appliance.Core.Access;

namespace Appliance.Supervisor.Findings;

/// <summary>How long a certificate is good that the device lives by.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Until">Its last moment.</param>
/// <param name="Renewal">How there comes to be a newer one.</param>
internal sealed record CertificateTerm(string Name, DateTimeOffset Until, string Renewal)
{
    /// <summary>The certificates whose holders log in.</summary>
    public static IReadOnlyList<CertificateTerm> Of(ClientAuthority? clients) =>
        [.. (clients?.Certificates ?? []).Select(authority => new CertificateTerm(authority.Subject, authority.NotAfter.ToUniversalTime(), "Bring an image with a newer one in access.clientAuthority; until then the password logs in."))];
}
