using System.Net;
using System.Security.Cryptography;

namespace Appliance.Supervisor.Fleet;

/// <summary>Tells a server that does not take the device for what it says it is from one that is away, or that the device does not trust.</summary>
internal static class ServerRefusal
{
    /// <summary>nginx' own numbers (ngx_http_request.h: 495 for a certificate that does not hold, 496 for none), which its settings may let through.</summary>
    private const int BadCertificate = 495, NoCertificate = 496;

    /// <summary>Where OpenSSL packs that it was the TLS library, and what it adds to the alerts that came from the other side (err.h, sslerr.h).</summary>
    private const int OfTls = 20 << 23, ReceivedAlert = 1000;

    /// <summary>
    /// By default nginx says 400 for both, and these titles (ngx_http_special_response.c). Any other 400 is about what was said and not
    /// about who said it: the device would put good certificates aside for it.
    /// </summary>
    private static readonly string[] Titles = ["<title>400 The SSL certificate error</title>", "<title>400 No required SSL certificate was sent</title>"];

    /// <summary>
    /// Alerts that are about the client's certificate alone (RFC 8446, 6.2): bad, unsupported, revoked, expired or unknown, of an unknown
    /// authority, and missing. What a server's own certificate fails by comes from this side, and is none; handshake_failure and
    /// access_denied may mean anything, and come from firewalls, too.
    /// </summary>
    private static readonly int[] Alerts = [42, 43, 44, 45, 46, 48, 116];

    /// <summary>Whether an answer refuses the device.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="text">The beginning of its body.</param>
    public static bool Is(HttpStatusCode status, string text) =>
        (int)status is (int)HttpStatusCode.Unauthorized or (int)HttpStatusCode.Forbidden or BadCertificate or NoCertificate
        || (status == HttpStatusCode.BadRequest && Titles.Any(title => text.Contains(title, StringComparison.OrdinalIgnoreCase)));

    /// <summary>The words of the alert by which the server refuses the device's certificate in the handshake; null where a connection failed for another reason.</summary>
    /// <param name="failure">How the connection failed.</param>
    public static string? AlertIn(Exception failure)
    {
        for (var e = failure; e is not null; e = e.InnerException)
            if (e is CryptographicException && Alerts.Any(alert => e.HResult == (OfTls | (ReceivedAlert + alert)))) return e.Message[(e.Message.LastIndexOf(':') + 1)..];
        return null;
    }
}
