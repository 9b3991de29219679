using System.Globalization;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>
/// The machine has an address and a way to others: the built-in check of the network. With no cable in and no station near,
/// nothing is wrong with the machine.
/// </summary>
/// <param name="root">Root of the kernel's files.</param>
/// <param name="addresses">Gives the addresses the machine has now.</param>
internal sealed class NetworkProbe(string root, Func<IReadOnlyList<string>> addresses) : IHealthProbe
{
    private const int RouteUp = 1, RouteReject = 0x200, // linux/route.h
        InterfaceUp = 1; // linux/if.h

    public string Name => "network";
    public bool Gate => false;
    public TimeSpan Interval => TimeSpan.FromSeconds(30);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var own = addresses();
        if (own.Count > 0 && HasDefaultRoute()) return Task.FromResult(ProbeResult.Pass($"{own[0]}, with a default route"));
        var reached = own.Count == 0 ? "there is no address" : $"{own[0]}, without a default route";
        return Task.FromResult(IsUnplugged() ? ProbeResult.Outage($"{reached}: no interface has a link") : ProbeResult.Fail(reached));
    }

    /// <summary>Interfaces of real devices are switched on, and none of them has a link. One that is not switched on is our own doing.</summary>
    private bool IsUnplugged()
    {
        var folder = Path.Combine(root, "sys/class/net");
        if (!Directory.Exists(folder)) return false;
        var on = Directory.EnumerateDirectories(folder).Where(device => Path.Exists(Path.Combine(device, "device")) && IsOn(device)).ToList();
        return on.Count > 0 && on.All(device => File.ReadAllText(Path.Combine(device, "operstate")).Trim() is "down" or "lowerlayerdown" or "dormant");
    }

    private static bool IsOn(string device) =>
        int.TryParse(File.ReadAllText(Path.Combine(device, "flags")).Trim().AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var flags) && (flags & InterfaceUp) != 0;

    private bool HasDefaultRoute() =>
        // proc(5): interface, destination, gateway, flags, …, mask at 7.
        Lines("proc/net/route").Skip(1).Any(fields => fields.Length > 7 && fields[1] == "00000000" && fields[7] == "00000000" && IsUsable(fields[3]))
        // Destination, its prefix length, …, flags at 8, interface at 9; the kernel keeps a rejecting one of its own on lo.
        || Lines("proc/net/ipv6_route").Any(fields => fields.Length > 9 && fields[0].All(digit => digit == '0') && fields[1] == "00" && fields[9] != "lo" && IsUsable(fields[8]));

    private static bool IsUsable(string flags) => int.TryParse(flags, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var bits) && (bits & RouteUp) != 0 && (bits & RouteReject) == 0;

    private IEnumerable<string[]> Lines(string path)
    {
        var full = Path.Combine(root, path);
        return File.Exists(full) ? File.ReadLines(full).Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) : [];
    }
}
