using Appliance.Core.Access;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Web;

/// <summary>What the device is known by, how it is reached and how it reaches others, as <c>/api/v1/network</c> shows it.</summary>
/// <param name="Identity">What it is known by.</param>
/// <param name="Hostname">Its name.</param>
/// <param name="Cards">Its interfaces, without loopback.</param>
/// <param name="Resolvers">Addresses of the DNS servers it asks.</param>
internal sealed record DeviceNetwork(DeviceIdentity Identity, string Hostname, IReadOnlyList<NetworkCard> Cards, IReadOnlyList<string> Resolvers)
{
    /// <summary>The present.</summary>
    public static DeviceNetwork Take(DeviceView device)
    {
        var (facts, certificate) = (device.Facts, device.Certificate);
        var identity = new DeviceIdentity(facts.Id, facts.Image.Id, facts.Image.Version, facts.Image.Board, PemCertificate.Fingerprint(certificate), certificate.NotAfter.ToUniversalTime());
        return new(identity, facts.Hostname, DeviceFacts.Cards(), facts.Resolvers);
    }
}
