using System.Net;
using System.Net.Sockets;
using Appliance.Core;

namespace Appliance.Supervisor.Control;

/// <summary>Where a device's HTTPS surface is.</summary>
/// <param name="Named">The device as it was named.</param>
/// <param name="Url">Its address.</param>
internal sealed record DeviceAddress(string Named, Uri Url)
{
    /// <summary>Host and port, by which it is known.</summary>
    public string Key => $"{Url.Host}:{Url.Port}";

    /// <summary>Reads a name or address, with a port when it is not 443.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static DeviceAddress Parse(string host)
    {
        var bare = IPAddress.TryParse(host, out var literal) && literal.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{host}]" : host;
        if (!Uri.TryCreate($"https://{bare}/", UriKind.Absolute, out var url) || url.AbsolutePath != "/" || url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0)
            throw new UserError($"\"{host}\" is no name or address of a device.", "Example: --host edge-7.local, --host 192.0.2.7:8443");
        return new DeviceAddress(host, url);
    }
}
