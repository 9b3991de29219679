using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Fleet;
using UpdateServer.Tests.Certificates;

namespace Supervisor.Tests.Fleet;

/// <summary>Who refuses the device, and who is only away: by openssl's own server in the handshake, and by what nginx answers.</summary>
public sealed class ServerRefusalTests : IDisposable
{
    private const string NewKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

    /// <summary>As Debian's nginx 1.22 answers with <c>ssl_verify_client on</c>.</summary>
    private const string Nginx = "<html>\r\n<head><title>400 {0}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>{0}</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";

    private readonly Shell _shell = new(new Uri("https://127.0.0.1"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _shell.Dispose();

    [Theory]
    [InlineData("-tls1_2", "client", null)]
    [InlineData("-tls1_3", "client", null)]
    [InlineData("-tls1_2", "strange", "unknown ca")]
    [InlineData("-tls1_3", "strange", "unknown ca")]
    [InlineData("-tls1_2", "ended", "expired")]
    [InlineData("-tls1_3", "ended", "expired")]
    [InlineData("-tls1_3", "", "certificate required")]
    public async Task ACertificate_ThatTheServerDoesNotTakeInTheHandshake_IsRefused(string version, string certificate, string? alert)
    {
        await MakeCertificatesAsync();
        await using var server = await HandshakeServer.StartAsync(_shell, version);
        var error = await Assert.ThrowsAsync<DdiException>(() => AskAsync(server.Address, "ca.pem", certificate));

        // openssl's page is no answer of a DDI server's, but an answer.
        Assert.Equal(alert is null ? DdiFault.Unreachable : DdiFault.Refused, error.Fault);
        Assert.Contains(alert ?? "what a DDI server does not", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-tls1_2")]
    [InlineData("-tls1_3")]
    public async Task AServer_ThatTheDeviceDoesNotTrust_RefusesNothing(string version)
    {
        await MakeCertificatesAsync();
        await using var server = await HandshakeServer.StartAsync(_shell, version);

        Assert.Equal(DdiFault.Unreachable, (await Assert.ThrowsAsync<DdiException>(() => AskAsync(server.Address, "other.pem", "client"))).Fault);
    }

    [Theory]
    [InlineData(401, "", nameof(DdiFault.Refused))]
    [InlineData(403, "", nameof(DdiFault.Refused))]
    [InlineData(495, "", nameof(DdiFault.Refused))]
    [InlineData(496, "", nameof(DdiFault.Refused))]
    [InlineData(400, "The SSL certificate error", nameof(DdiFault.Refused))]
    [InlineData(400, "No required SSL certificate was sent", nameof(DdiFault.Refused))]
    [InlineData(400, "The plain HTTP request was sent to HTTPS port", nameof(DdiFault.Rejected))]
    [InlineData(400, "Request Header Or Cookie Too Large", nameof(DdiFault.Rejected))]
    [InlineData(400, "", nameof(DdiFault.Rejected))]
    [InlineData(502, "The SSL certificate error", nameof(DdiFault.Unreachable))]
    [InlineData(511, "Log in to the guests' network", nameof(DdiFault.Unreachable))]
    [InlineData(200, "Log in to the guests' network", nameof(DdiFault.Unreachable))]
    [InlineData(302, "", nameof(DdiFault.Unreachable))]
    public async Task AnAnswer_IsARefusal_OnlyWhereItSaysSo(int status, string title, string fault)
    {
        await using var server = await OpensslServer.StartAsync();
        server.Refusals.Enqueue((status, title.Length == 0 ? "" : Nginx.Replace("{0}", title, StringComparison.Ordinal)));
        using var client = new DdiClient(FleetServer.Of(new FleetSettings(), "/nowhere", new FleetMembership { Server = server.Address.ToString(), Trust = server.Trust, Token = OpensslServer.DeviceToken })!, "edge-1", TimeProvider.System);

        Assert.Equal(fault, $"{(await Assert.ThrowsAsync<DdiException>(() => client.AskAsync(Token))).Fault}");
    }

    private async Task AskAsync(Uri server, string trust, string certificate)
    {
        var held = certificate.Length == 0 ? null : new DeviceCredential(await File.ReadAllTextAsync(_shell[$"{certificate}.key"], Token), await File.ReadAllTextAsync(_shell[$"{certificate}.pem"], Token));
        using var client = new DdiClient(FleetServer.Of(new FleetSettings(), "/nowhere", new FleetMembership { Server = server.ToString(), Trust = await File.ReadAllTextAsync(_shell[trust], Token), Certificate = held })!, "edge-1", TimeProvider.System);
        await client.AskAsync(Token);
    }

    private Task MakeCertificatesAsync() => _shell.RunAsync($"""
        for name in ca other; do openssl req -x509 {NewKey} -keyout $name.key -out $name.pem -subj "/CN=$name" -days 300 2>/dev/null; done
        for name in server client strange ended; do openssl req -new {NewKey} -keyout $name.key -out $name.csr -subj /CN=edge-1 2>/dev/null; done
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 300 -out server.pem -extfile <(echo subjectAltName=IP:127.0.0.1) 2>/dev/null
        openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -days 300 -out client.pem 2>/dev/null
        openssl x509 -req -in strange.csr -CA other.pem -CAkey other.key -days 300 -out strange.pem 2>/dev/null
        openssl x509 -req -in ended.csr -CA ca.pem -CAkey ca.key -days -1 -out ended.pem 2>/dev/null
        """);

    /// <summary>openssl's own server, which wants a certificate of its authority.</summary>
    private sealed class HandshakeServer(Process process, Uri address) : IAsyncDisposable
    {
        public Uri Address => address;

        public static async Task<HandshakeServer> StartAsync(Shell shell, string version)
        {
            using var free = new TcpListener(IPAddress.Loopback, 0);
            free.Start();
            var port = ((IPEndPoint)free.LocalEndpoint).Port;
            free.Stop();
            var start = new ProcessStartInfo("openssl", ["s_server", "-accept", $"127.0.0.1:{port}", "-cert", shell["server.pem"], "-key", shell["server.key"], "-CAfile", shell["ca.pem"], "-Verify", "1", "-verify_return_error", version, "-www"]) { RedirectStandardOutput = true, RedirectStandardError = true };
            var process = Process.Start(start)!;
            while (await process.StandardOutput.ReadLineAsync(Token) is { } line && !line.StartsWith("ACCEPT", StringComparison.Ordinal))
            {
                // It says ACCEPT once it listens.
            }
            _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
            return new HandshakeServer(process, new Uri($"https://127.0.0.1:{port}"));
        }

        public async ValueTask DisposeAsync()
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }
    }
}
