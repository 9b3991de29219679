using System.Net;
using Microsoft.AspNetCore.HttpOverrides;

namespace Appliance.UpdateServer.Serve;

/// <summary>Believes what proxies say of the client, when they are those that were named.</summary>
internal static class TrustedProxy
{
    /// <summary>Item of a request that came from such a proxy.</summary>
    public static readonly object Mark = new();

    /// <summary>Puts it in front of everything else.</summary>
    public static void UseTrustedProxies(this WebApplication application, IReadOnlyList<IPAddress> proxies)
    {
        if (proxies.Count == 0) return;
        application.Use((http, next) =>
        {
            if (http.Connection.RemoteIpAddress is { } address && proxies.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)) http.Items[Mark] = true;
            return next(http);
        });
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in proxies) options.KnownProxies.Add(proxy);
        application.UseForwardedHeaders(options);
    }
}
