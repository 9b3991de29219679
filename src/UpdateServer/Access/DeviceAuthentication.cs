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
        if (controllerId.Length > FleetContext.LongestName) return null;
        await using var context = database.Open();
        var device = await context.Devices.AsNoTracking().FirstOrDefaultAsync(row => row.ControllerId == controllerId, cancellationToken);
        if (device?.State == DeviceState.Decommissioned) return null;
        var credential = http.Request.Headers.Authorization.ToString();
        if (credential.StartsWith(TargetToken, StringComparison.OrdinalIgnoreCase)) return device is not null && SecretToken.Matches(credential[TargetToken.Length..].Trim(), device.TokenHash) ? device : null;
        var known = (credential.StartsWith(GatewayToken, StringComparison.OrdinalIgnoreCase) && SecretToken.Matches(credential[GatewayToken.Length..].Trim(), options.GatewayTokenHash)) || NameOfCertificate(http) == controllerId;
        return !known ? null : device ?? await RegisterAsync(controllerId, cancellationToken);
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

    private string? NameOfCertificate(HttpContext http)
    {
        if (http.Connection.ClientCertificate is { } certificate) return authority is not null && authority.Fault(certificate, time.GetUtcNow()) is null ? certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) : null;
        // A proxy that ends TLS says the name of the certificate that it has verified.
        return http.Items.ContainsKey(TrustedProxy.Mark) ? http.Request.Headers[ProxyName].FirstOrDefault() : null;
    }
}
