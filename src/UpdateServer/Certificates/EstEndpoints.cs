using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;

namespace Appliance.UpdateServer.Certificates;

/// <summary>Enrolment over Secure Transport (RFC 7030): how devices get certificates and renew them.</summary>
internal static class EstEndpoints
{
    private const string Base = "/.well-known/est", CertificatesOnly = "application/pkcs7-mime; smime-type=certs-only", Basic = "Basic ";
    private const string SignedBySha256 = "1.2.840.10045.4.3.2"; // ecdsa-with-SHA256, RFC 5758, 3.2
    private const int LargestRequest = 64 << 10;

    /// <summary>Adds the endpoints.</summary>
    public static void MapEst(this WebApplication application)
    {
        var est = application.MapGroup(Base).ExcludeFromDescription();
        est.MapGet("/cacerts", (DeviceCertificates certificates, HttpContext http) => Certificates(http, certificates.Chain, "application/pkcs7-mime"));
        est.MapGet("/csrattrs", (HttpContext http) => Encoded(http, Attributes(), "application/csrattrs"));
        est.MapPost("/simpleenroll", (HttpContext http, DeviceCertificates certificates, DeviceAuthentication authentication) => TryAsync(http, async request =>
        {
            if (await authentication.FindByCertificateAsync(http, mayHaveExpired: false, http.RequestAborted) is { } device) return await certificates.IssueAsync(device, request, Shown(http, device), renews: false, http.RequestAborted);
            if (Credentials(http) is not var (id, secret)) return null;
            return await authentication.FindByTokenAsync(id, secret, http.RequestAborted) is { } known
                ? await certificates.IssueAsync(known, request, null, renews: false, http.RequestAborted)
                : await certificates.EnrolAsync(secret, id, request, http.RequestAborted);
        }));
        est.MapPost("/simplereenroll", (HttpContext http, DeviceCertificates certificates, DeviceAuthentication authentication) => TryAsync(http, async request =>
        {
            if (await authentication.FindByCertificateAsync(http, mayHaveExpired: true, http.RequestAborted) is not { } device) return null;
            if (DeviceCertificates.NameIn(request) != device.ControllerId) throw new UserError("A renewal is for the name that the certificate has.");
            return await certificates.IssueAsync(device, request, Shown(http, device), renews: true, http.RequestAborted);
        }));
    }

    /// <summary>The serial number of the certificate that a device has shown, which is heard of by it.</summary>
    private static string Shown(HttpContext http, Device device)
    {
        http.RequestServices.GetRequiredService<SeenDevices>().Note(device.Id);
        return http.Connection.ClientCertificate!.SerialNumber;
    }

    /// <summary>Reads the request, and answers with a certificate, or with why there is none.</summary>
    private static async Task<IResult> TryAsync(HttpContext http, Func<CertificateRequest, Task<X509Certificate2?>> issueAsync)
    {
        try
        {
            var request = DeviceCertificates.ReadRequest(await ReadAsync(http));
            using var certificate = await issueAsync(request);
            if (certificate is not null) return Certificates(http, [certificate], CertificatesOnly);
            if (Failed(http) is { } tooMany) return tooMany;
            http.Response.Headers.WWWAuthenticate = "Basic realm=\"est\"";
            return Results.Text("A client certificate that holds is needed, or (to enrol) the device's id and a token.\n", statusCode: StatusCodes.Status401Unauthorized);
        }
        catch (UserError e)
        {
            return Failed(http) ?? Results.Text(e + "\n", statusCode: StatusCodes.Status400BadRequest);
        }
    }

    /// <summary>Counts what does not hold, and holds up whoever guesses.</summary>
    private static IResult? Failed(HttpContext http)
    {
        if (http.RequestServices.GetRequiredService<FailedLogIns>().TryCount(http)) return null;
        http.Response.Headers.RetryAfter = "60";
        return Results.Text("From this address too much is tried that does not hold.\n", statusCode: StatusCodes.Status429TooManyRequests);
    }

    /// <summary>The request in the body: PKCS#10 in base64 (RFC 8951, 3.1 says that line breaks do not matter).</summary>
    private static async Task<byte[]> ReadAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body, Encoding.ASCII);
        var text = new char[LargestRequest];
        var length = await reader.ReadBlockAsync(text, http.RequestAborted);
        var given = new string(text, 0, length);
        var lines = given.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(line => !line.StartsWith("-----", StringComparison.Ordinal));
        try
        {
            return Convert.FromBase64String(string.Concat(lines));
        }
        catch (FormatException e)
        {
            throw new UserError("The body is no base64.", "It is the DER form of a PKCS#10 request in base64 (RFC 7030, 4.2.1).", e);
        }
    }

    private static (string Id, string Secret)? Credentials(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Basic, StringComparison.OrdinalIgnoreCase)) return null;
        var bytes = new byte[header.Length];
        if (!Convert.TryFromBase64String(header[Basic.Length..].Trim(), bytes, out var length)) return null;
        var parts = Encoding.UTF8.GetString(bytes, 0, length).Split(':', 2);
        return parts.Length == 2 ? (parts[0], parts[1]) : null;
    }

    private static IResult Certificates(HttpContext http, IReadOnlyList<X509Certificate2> certificates, string type)
    {
        var all = new X509Certificate2Collection();
        foreach (var certificate in certificates) all.Add(certificate);
        return Encoded(http, all.Export(X509ContentType.Pkcs7)!, type);
    }

    private static IResult Encoded(HttpContext http, byte[] der, string type)
    {
        http.Response.Headers["Content-Transfer-Encoding"] = "base64";
        // Lines that both base64 -d and openssl read: the one takes no CR, the other no long lines.
        return Results.Text(Convert.ToBase64String(der, Base64FormattingOptions.InsertLineBreaks).ReplaceLineEndings("\n") + "\n", type);
    }

    /// <summary>What a request should have (RFC 7030, 4.5.2): a signature by an elliptic curve.</summary>
    private static byte[] Attributes()
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence()) writer.WriteObjectIdentifier(SignedBySha256);
        return writer.Encode();
    }
}
