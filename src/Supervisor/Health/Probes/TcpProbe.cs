using System.Globalization;
using System.Net.Sockets;
using Appliance.Core.Health;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>A port accepts a connection.</summary>
internal sealed class TcpProbe(HealthCheck check) : DeclaredProbe(check)
{
    private readonly string _endpoint = check.Tcp!;

    /// <summary>Another machine may be down without this one being to blame; who declares it as a gate wants it to count.</summary>
    public override bool IsAboutThisMachine => Gate || new Uri($"tcp://{_endpoint}").IsLoopback;

    public override async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var colon = _endpoint.LastIndexOf(':');
        using var client = new TcpClient();
        await client.ConnectAsync(_endpoint[..colon].Trim('[', ']'), int.Parse(_endpoint.AsSpan(colon + 1), CultureInfo.InvariantCulture), cancellationToken);
        return ProbeResult.Pass($"{_endpoint} accepts connections");
    }
}
