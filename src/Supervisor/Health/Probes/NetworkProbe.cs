using System.Globalization;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>The machine has an address and a way to others: the built-in check of the network.</summary>
/// <param name="root">Root of the kernel's files.</param>
/// <param name="addresses">Gives the addresses the machine has now.</param>
internal sealed class NetworkProbe(string root, Func<IReadOnlyList<string>> addresses) : IHealthProbe
{
    private const int RouteUp = 1, RouteReject = 0x200; // linux/route.h

    public string Name => "network";
    public bool Gate => false;
    public TimeSpan Interval => TimeSpan.FromSeconds(30);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var own = addresses();
        if (own.Count == 0) return Task.FromResult(ProbeResult.Fail("there is no address"));
        return Task.FromResult(HasDefaultRoute() ? ProbeResult.Pass($"{own[0]}, with a default route") : ProbeResult.Fail($"{own[0]}, without a default route"));
    }

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
