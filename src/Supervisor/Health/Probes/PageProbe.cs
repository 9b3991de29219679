using System.Net;
using System.Net.Sockets;
using Appliance.Supervisor.Web;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>The status page takes connections, shows our certificate and answers.</summary>
internal sealed class PageProbe(IServer server, PageCertificate own) : IHealthProbe
{
    public string Name => "page";
    public bool Gate => true;
    public TimeSpan Interval => TimeSpan.FromSeconds(30);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public async Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        if (server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() is not { } address) return ProbeResult.Wait("the status page does not listen yet");
        var page = new Uri(address);
        var listens = IPAddress.Parse(page.DnsSafeHost);
        var all = ListenSocket.IsEveryAddress(listens);
        // Its network is down: no fault of the version that runs, and nobody is there who could be answered.
        if (!IsOurs(listens)) return ProbeResult.Pass($"the status page waits for its address {listens}");
        using var client = new TcpClient(all ? AddressFamily.InterNetwork : listens.AddressFamily);
        await client.ConnectAsync(all ? IPAddress.Loopback : listens, page.Port, cancellationToken);
        await using var tls = new System.Net.Security.SslStream(client.GetStream(), false, (_, shown, _, _) => shown is not null && shown.GetRawCertData().AsSpan().SequenceEqual(own.Current.RawData));
        await tls.AuthenticateAsClientAsync(new() { TargetHost = "localhost" }, cancellationToken);
        await tls.WriteAsync("HEAD /page.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8.ToArray(), cancellationToken);
        var answer = new byte[12];
        await tls.ReadExactlyAsync(answer, cancellationToken);
        return answer.AsSpan().SequenceEqual("HTTP/1.1 200"u8) ? ProbeResult.Pass("the status page answers") : ProbeResult.Fail("the status page answers with an error");
    }

    /// <summary>Whether the machine has an address now: what it does not have can only be bound to by asking for that (ip(7), IP_FREEBIND).</summary>
    private static bool IsOurs(IPAddress address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Bind(new IPEndPoint(address, 0));
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            return false;
        }
    }
}
