using System.Net;
using System.Net.Sockets;

namespace Appliance.Supervisor.Access;

/// <summary>Whom an address stands for when limits are set.</summary>
internal static class RemoteNetwork
{
    /// <summary>An IPv4 address as it is; of an IPv6 address its /64, because whoever has that has all its addresses.</summary>
    public static IPAddress Of(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address)) return address;
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }
}
