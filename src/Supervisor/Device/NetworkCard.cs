using System.Net.NetworkInformation;

namespace Appliance.Supervisor.Device;

/// <summary>A network interface.</summary>
/// <param name="Name">As the kernel calls it.</param>
/// <param name="Kind">Ethernet, Wireless80211 and so on (.NET's NetworkInterfaceType).</param>
/// <param name="Up">Whether it can carry traffic.</param>
/// <param name="Mac">Its hardware address, colons between the bytes; empty without one.</param>
/// <param name="MegabitsPerSecond">Its speed, null when nobody knows.</param>
/// <param name="Addresses">Addresses with the length of their prefix.</param>
/// <param name="Gateways">Where it sends what is not for its own network.</param>
internal sealed record NetworkCard(string Name, string Kind, bool Up, string Mac, long? MegabitsPerSecond, IReadOnlyList<string> Addresses, IReadOnlyList<string> Gateways)
{
    /// <summary>Drivers that know no speed say -1, which arrives without its sign.</summary>
    private const long Unknown = uint.MaxValue;

    /// <summary>What the kernel says of it.</summary>
    public static NetworkCard Of(NetworkInterface card)
    {
        var properties = card.GetIPProperties();
        return new NetworkCard(card.Name, card.NetworkInterfaceType.ToString(), card.OperationalStatus == OperationalStatus.Up, string.Join(':', card.GetPhysicalAddress().GetAddressBytes().Select(part => $"{part:x2}")),
            card.Speed > 0 && card.Speed / 1_000_000 < Unknown ? card.Speed / 1_000_000 : null, properties.UnicastAddresses.Select(address => $"{address.Address.ToString().Split('%')[0]}/{address.PrefixLength}").ToList(), properties.GatewayAddresses.Select(gateway => gateway.Address.ToString()).ToList());
    }
}
