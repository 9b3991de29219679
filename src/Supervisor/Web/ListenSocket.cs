using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Appliance.Supervisor.Web;

/// <summary>The socket that the page listens at, also at an address that the machine does not have yet (ip(7), ipv6(7)).</summary>
internal static class ListenSocket
{
    private const int Ip = 0, IpFreeBind = 15, Ipv6 = 41, Ipv6FreeBind = 78; // linux/in.h, linux/in6.h

    /// <summary>Whether it stands for all addresses of the machine.</summary>
    public static bool IsEveryAddress(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    /// <summary>Makes it, bound.</summary>
    public static Socket Create(EndPoint endpoint)
    {
        if (endpoint is not IPEndPoint { Address: { } address } || IsEveryAddress(address)) return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            var (level, option) = address.AddressFamily == AddressFamily.InterNetwork ? (Ip, IpFreeBind) : (Ipv6, Ipv6FreeBind);
            socket.SetRawSocketOption(level, option, BitConverter.GetBytes(1));
            socket.Bind(endpoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
