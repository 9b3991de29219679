using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Certificates;

/// <summary>The certificates that devices get: issued, renewed, revoked, and each of them written down.</summary>
internal sealed class DeviceCertificates(FleetDatabase database, IDeviceIssuer issuer, Enrolment enrolment, ServeOptions options, TimeProvider time)
{
    private const int SmallestRsaKey = 2048, MostListed = 50;
    private static readonly string[] Curves = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"]; // P-256, P-384, P-521: RFC 5480, 2.1.1.1
    private static readonly TimeSpan Leeway = TimeSpan.FromMinutes(10); // clocks that are a little behind

    /// <summary>A certificate.</summary>
    public sealed record CertificateView(string Serial, DateTimeOffset IssuedAt, DateTimeOffset ExpiresAt, DateTimeOffset? RevokedAt);

    /// <summary>The certificates of the authority, the root last.</summary>
    public IReadOnlyList<X509Certificate2> Chain => issuer.Chain;

    /// <summary>Reads a request (PKCS#10, RFC 2986) and checks that its key signed it.</summary>
    /// <exception cref="UserError">It cannot be used.</exception>
    public static CertificateRequest ReadRequest(byte[] der)
    {
        try
        {
            var request = CertificateRequest.LoadSigningRequest(der, HashAlgorithmName.SHA256, out var read, CertificateRequestLoadOptions.Default, RSASignaturePadding.Pkcs1);
            if (read != der.Length) throw new UserError("There is something behind the certificate request.");
            using var rsa = request.PublicKey.GetRSAPublicKey();
            using var elliptic = request.PublicKey.GetECDsaPublicKey();
            return rsa is { KeySize: >= SmallestRsaKey } || (elliptic is not null && Curves.Contains(elliptic.ExportParameters(false).Curve.Oid?.Value)) ? request : throw new UserError($"The key is neither one of an elliptic curve (P-256, P-384, P-521) nor an RSA key of at least {SmallestRsaKey} bits.");
        }
        catch (CryptographicException e)
        {
            throw new UserError($"The certificate request cannot be used: {e.Message}", "It is PKCS#10, signed with SHA-256 or better by its own key.", e);
        }
    }

    /// <summary>The common name that a request asks for; null when it asks for none.</summary>
    public static string? NameIn(CertificateRequest request) => request.SubjectName.EnumerateRelativeDistinguishedNames().Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value == "2.5.4.3").Select(part => part.GetSingleElementValue()).FirstOrDefault(); // id-at-commonName

    /// <summary>Lets a device in by an enrolment token, and issues its first certificate.</summary>
    /// <exception cref="UserError">It is not let in.</exception>
    public async Task<X509Certificate2> EnrolAsync(string token, string deviceId, CertificateRequest request, CancellationToken cancellationToken)
    {
        // Whoever guesses does not get as far as to write.
        await using (var context = database.Open()) await enrolment.RequireAsync(context, token, cancellationToken);
        return await database.WriteAsync(async context => await IssueAsync(context, await enrolment.AdmitAsync(context, token, deviceId, cancellationToken), request, "issue", endsToken: false, cancellationToken), cancellationToken);
    }

    /// <summary>Issues a certificate to a device that has proved who it is.</summary>
    /// <param name="device">The device.</param>
    /// <param name="request">What it asks for.</param>
    /// <param name="by">Serial of the certificate that it has shown; null for its token, which ends when it shows the new certificate.</param>
    /// <param name="renews">Whether it takes the place of the one shown.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It was revoked in this moment, or the request is for another device.</exception>
    public Task<X509Certificate2> IssueAsync(Device device, CertificateRequest request, string? by, bool renews, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        // Whoever revokes has the last word, also over what was asked for before.
        await context.LockDeviceAsync(device.Id, cancellationToken);
        if (await context.Devices.AnyAsync(row => row.Id == device.Id && row.State == DeviceState.Decommissioned, cancellationToken) || await context.Certificates.AnyAsync(row => row.Serial == by && row.RevokedAt != null, cancellationToken))
            throw new UserError("The certificate was revoked.");
        return await IssueAsync(context, device, request, renews ? "renew" : "issue", endsToken: by is null, cancellationToken);
    }, cancellationToken);

    /// <summary>The certificates of a device, the newest first.</summary>
    /// <param name="device">Number of its row.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<CertificateView>> ListAsync(long device, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return [.. (await context.Certificates.AsNoTracking().Where(row => row.DeviceId == device).OrderByDescending(row => row.Id).Take(MostListed).ToListAsync(cancellationToken)).Select(row => new CertificateView(row.Serial, row.IssuedAt, row.ExpiresAt, row.RevokedAt))];
    }

    /// <summary>Revokes what a device has, its token, too: it is refused from then on, and needs another way in.</summary>
    /// <returns>How many.</returns>
    /// <exception cref="MissingException">There is no such device.</exception>
    public Task<int> RevokeAsync(string deviceId, string who, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await context.LockDeviceAsync(deviceId, cancellationToken);
        var now = time.GetUtcNow();
        var revoked = await context.RevokeCertificatesAsync(device, now, cancellationToken);
        await context.Devices.Where(row => row.Id == device).ExecuteUpdateAsync(set => set.SetProperty(row => row.RevokedAt, now).SetProperty(row => row.TokenHash, (byte[]?)null), cancellationToken);
        context.Note(now, who, "certificate.revoke", $"device {deviceId}", $"{revoked} certificates");
        return revoked;
    }, cancellationToken);

    private async Task<X509Certificate2> IssueAsync(FleetContext context, Device device, CertificateRequest request, string what, bool endsToken, CancellationToken cancellationToken)
    {
        if (NameIn(request) is { } name && name != device.ControllerId) throw new UserError($"The request is for {name}, and the device is {device.ControllerId}.");
        var now = time.GetUtcNow();
        var certificate = issuer.Issue(request.PublicKey, device.ControllerId, now - Leeway, now + options.CertificateLife);
        await context.SaveChangesAsync(cancellationToken); // a device that was let in has its number then
        var forgotten = now - options.CertificateGrace;
        await context.Certificates.Where(row => row.DeviceId == device.Id && row.ExpiresAt < forgotten).ExecuteDeleteAsync(cancellationToken);
        context.Certificates.Add(new DeviceCertificate { DeviceId = device.Id, Serial = certificate.SerialNumber, IssuedAt = now, ExpiresAt = certificate.NotAfter, EndsToken = endsToken });
        context.Note(now, device.ControllerId, $"certificate.{what}", $"device {device.ControllerId}", $"serial {certificate.SerialNumber}, until {certificate.NotAfter.ToUniversalTime():u}");
        return certificate;
    }
}
