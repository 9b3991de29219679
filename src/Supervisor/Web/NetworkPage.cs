using Appliance.Supervisor.Device;
using static Appliance.Supervisor.Web.Html;

namespace Appliance.Supervisor.Web;

/// <summary>The page about the network, and what the device is known by.</summary>
internal static class NetworkPage
{
    /// <summary>The content.</summary>
    public static string Content(DeviceNetwork network) => $"""
        <section class="cards">
          {Card("Name", [("Host name", Encode(network.Hostname)), ("In the local network", Encode($"{network.Hostname}.local")), ("DNS servers", Lines(network.Resolvers))])}
          {Card("Identity", [("Device", Encode(network.Identity.DeviceId)), ("Image", Encode($"{network.Identity.Image} {network.Identity.Version} for {network.Identity.Board}")), ("Certificate (SHA-256)", Encode(network.Identity.CertificateFingerprint)), ("Certificate until", Moment(network.Identity.CertificateUntil))])}
          {string.Concat(network.Cards.Select(Interface))}
        </section>
        {(network.Cards.Count == 0 ? "<p>There is no network interface.</p>" : "")}
        """;

    private static string Interface(NetworkCard card) => Card(Encode(card.Name),
    [
        ("State", $"{(card.Up ? "up" : "down")}{(card is { Up: true, MegabitsPerSecond: { } speed } ? $", {speed} Mbit/s" : "")}"),
        ("Kind", Encode(card.Kind)),
        ("Hardware address", Encode(card.Mac)),
        ("Addresses", Lines(card.Addresses)),
        ("Gateway", Lines(card.Gateways)),
    ]);

    private static string Lines(IReadOnlyList<string> texts) => texts.Count == 0 ? "none" : string.Join("<br>", texts.Select(Encode));
}
