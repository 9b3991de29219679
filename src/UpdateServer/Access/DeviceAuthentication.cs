using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Access;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Access;

/// <summary>
/// Who a device is: by its own token (<c>Authorization: TargetToken …</c>), by the gateway's for many (<c>GatewayToken …</c>), or by a
/// certificate of the devices' authority whose common name is its id. The latter two make it known when it is not.
/// </summary>
internal sealed class DeviceAuthentication(FleetDatabase database, ServeOptions options, ClientAuthority? authority, TimeProvider time)
{
    private const string TargetToken = "TargetToken ", GatewayToken = "GatewayToken ", ProxyName = "X-Ssl-Client-Cn";

    /// <summary>The device that a request is from; null when it does not prove to be that one.</summary>
    public async Task<Device?> FindAsync(HttpContext http, string controllerId, CancellationToken cancellationToken)
    {
        var credential = http.Request.Headers.Authorization.ToString();
        if (credential.StartsWith(TargetToken, StringComparison.OrdinalIgnoreCase)) return await FindByTokenAsync(controllerId, credential[TargetToken.Length..].Trim(), cancellationToken);
        if (controllerId.Length > FleetContext.LongestName) return null;
        if (!(credential.StartsWith(GatewayToken, StringComparison.OrdinalIgnoreCase) && SecretToken.Matches(credential[GatewayToken.Length..].Trim(), options.GatewayTokenHash)))
        {
            if (http.Connection.ClientCertificate is not null) return await FindByCertificateAsync(http, mayHaveExpired: false, cancellationToken) is { } shown && shown.ControllerId == controllerId ? shown : null;
            // A proxy that ends TLS says the name of the certificate that it has verified.
            if (!http.Items.ContainsKey(TrustedProxy.Mark) || http.Request.Headers[ProxyName].FirstOrDefault() != controllerId) return null;
        }
        return await FindOrRegisterAsync(controllerId, cancellationToken);
    }

    /// <summary>The device that a token is the own one of; null when it is not.</summary>
    public async Task<Device?> FindByTokenAsync(string controllerId, string token, CancellationToken cancellationToken)
    {
        if (controllerId.Length > FleetContext.LongestName) return null;
        await using var context = database.Open();
        var device = await context.Devices.AsNoTracking().FirstOrDefaultAsync(row => row.ControllerId == controllerId, cancellationToken);
        return device is { State: not DeviceState.Decommissioned } && SecretToken.Matches(token, device.TokenHash) ? device : null;
    }

    /// <summary>The device of the certificate that a connection was made with; null when there is none that holds.</summary>
    /// <param name="http">The request.</param>
    /// <param name="mayHaveExpired">Whether one that has ended counts for a while: a device that was off comes back by it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<Device?> FindByCertificateAsync(HttpContext http, bool mayHaveExpired, CancellationToken cancellationToken)
    {
        if (http.Connection.ClientCertificate is not { } certificate || authority is null) return null;
        await using var context = database.Open();
        var issued = await context.Certificates.AsNoTracking().FirstOrDefaultAsync(row => row.Serial == certificate.SerialNumber, cancellationToken);
        var (now, end) = (time.GetUtcNow(), new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));
        // Another authority's certificates end when they end.
        var at = mayHaveExpired && issued is not null && now >= end && now < end + options.CertificateGrace ? end.AddSeconds(-1) : now;
        if (issued?.RevokedAt is not null || authority.Fault(certificate, at) is not null) return null;
        var controllerId = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
        if (controllerId.Length is 0 or > FleetContext.LongestName || await FindOrRegisterAsync(context, controllerId, cancellationToken) is not { } device) return null;
        // One that is not written down was issued by another authority, or after the backup that this database is from.
        if (issued is null) return device.RevokedAt is { } revoked && certificate.NotBefore.ToUniversalTime() < revoked.UtcDateTime ? null : device;
        if (issued.DeviceId != device.Id) return null;
        if (issued.ShownAt is null) await ShowAsync(issued, cancellationToken);
        return device;
    }

    /// <summary>A device shows a certificate for the first time. When it got it for its token, whoever has copied the token gets nothing for it any more.</summary>
    private Task ShowAsync(DeviceCertificate issued, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        if (await context.Certificates.Where(row => row.Id == issued.Id && row.ShownAt == null).ExecuteUpdateAsync(set => set.SetProperty(row => row.ShownAt, time.GetUtcNow()), cancellationToken) > 0 && issued.EndsToken)
            await context.Devices.Where(row => row.Id == issued.DeviceId).ExecuteUpdateAsync(set => set.SetProperty(row => row.TokenHash, (byte[]?)null), cancellationToken);
    }, cancellationToken);

    /// <summary>The device of an id that somebody has proved; it is made known when it is not. Null for one that was taken out.</summary>
    public async Task<Device?> FindOrRegisterAsync(string controllerId, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await FindOrRegisterAsync(context, controllerId, cancellationToken);
    }

    private async Task<Device?> FindOrRegisterAsync(FleetContext context, string controllerId, CancellationToken cancellationToken)
    {
        var device = await context.Devices.AsNoTracking().FirstOrDefaultAsync(row => row.ControllerId == controllerId, cancellationToken);
        return device?.State == DeviceState.Decommissioned ? null : device ?? await RegisterAsync(controllerId, cancellationToken);
    }

    /// <summary>Makes a device known, once.</summary>
    private Task<Device> RegisterAsync(string controllerId, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        if (await context.Devices.FirstOrDefaultAsync(row => row.ControllerId == controllerId, cancellationToken) is { } known) return known;
        var device = new Device { ControllerId = controllerId, Name = controllerId, CreatedAt = time.GetUtcNow() };
        context.Devices.Add(device);
        context.Note(time.GetUtcNow(), controllerId, "device.register", $"device {controllerId}");
        return device;
    }, cancellationToken);
}
