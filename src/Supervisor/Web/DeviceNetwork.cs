using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Web;

/// <summary>How the device is reached and how it reaches others, as <c>/api/v1/network</c> shows it.</summary>
/// <param name="Hostname">Its name.</param>
/// <param name="Cards">Its interfaces, without loopback.</param>
/// <param name="Resolvers">Addresses of the DNS servers it asks.</param>
internal sealed record DeviceNetwork(string Hostname, IReadOnlyList<NetworkCard> Cards, IReadOnlyList<string> Resolvers)
{
    /// <summary>The present.</summary>
    public static DeviceNetwork Take(DeviceFacts facts) => new(facts.Hostname, DeviceFacts.Cards(), facts.Resolvers);
}
