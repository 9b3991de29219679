using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Health;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;

namespace Supervisor.Tests.Health;

/// <summary>Probes that ask a server, against real sockets.</summary>
public sealed class ServerProbeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("server");
    private readonly HttpClient _http = new();

    public void Dispose()
    {
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private static Task<ProbeResult> TryAsync(IHealthProbe probe) => probe.TryAsync(TestContext.Current.CancellationToken);

    private UpdateServerProbe UpdateServer(string? url) => new(new HealthCheck { Name = "server", UpdateServer = true, Gate = false }, url is null ? null : new Uri(url), null, _folder.FullName);

    [Theory]
    [InlineData("200 OK", "Passed")]
    [InlineData("204 No Content", "Passed")]
    [InlineData("404 Not Found", "Failed")]
    [InlineData("503 Service Unavailable", "Failed")]
    public async Task Http_WantsA2xx(string status, string outcome)
    {
        await using var server = new OneAnswerServer($"HTTP/1.1 {status}");
        var url = $"http://127.0.0.1:{server.Port}/ready";

        var result = await TryAsync(new HttpProbe(new HealthCheck { Name = "x", Http = url }, _http));

        Assert.Equal((outcome, $"{url} answers {status[..3]}"), (result.Outcome.ToString(), result.Message));
    }

    [Fact]
    public async Task Tcp_WantsAConnection()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.IPv6Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
            Assert.True((await TryAsync(new TcpProbe(new HealthCheck { Name = "x", Tcp = $"[::1]:{port}" }))).Passed);
        }

        await Assert.ThrowsAsync<SocketException>(() => TryAsync(new TcpProbe(new HealthCheck { Name = "x", Tcp = $"[::1]:{port}" })));
    }

    [Theory]
    [InlineData("200 OK\r\nContent-Type: application/json", "Passed")]
    [InlineData("200 OK\r\nContent-Type: text/html; charset=utf-8", "Outage")] // a network that wants a log-in
    [InlineData("404 Not Found", "Failed")]
    [InlineData("403 Forbidden", "Failed")]
    [InlineData("429 Too Many Requests", "Outage")]
    [InlineData("500 Internal Server Error", "Outage")]
    [InlineData("503 Service Unavailable", "Outage")]
    public async Task TheUpdateServersAnswer_TellsWhoIsToBlame(string answer, string outcome)
    {
        await using var server = new OneAnswerServer($"HTTP/1.1 {answer}");

        Assert.Equal(outcome, (await TryAsync(UpdateServer($"http://127.0.0.1:{server.Port}/repository"))).Outcome.ToString());
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/")] // refused
    [InlineData("https://no-such-host.invalid/")] // no name
    public async Task AnUpdateServerThatIsNotThere_IsAnOutage(string url) => Assert.Equal(ProbeOutcome.Outage, (await TryAsync(UpdateServer(url))).Outcome);

    [Fact]
    public async Task AnUpdateServerThatBreaksOff_IsAnOutage()
    {
        await using var server = new OneAnswerServer("no HTTP at all");

        Assert.Equal(ProbeOutcome.Outage, (await TryAsync(UpdateServer($"http://127.0.0.1:{server.Port}/"))).Outcome);
    }

    [Theory]
    [InlineData("127.0.0.1", "Failed", "is not trusted: UntrustedRoot")]
    [InlineData("portal.example", "Outage", "another machine answers for 127.0.0.1")]
    public async Task AnUpdateServerThatWeDoNotTrust_IsOurs_UnlessItIsAnother(string name, string outcome, string message)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out var address)) names.AddIpAddress(address);
        else names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using var server = new OneAnswerServer("HTTP/1.1 200 OK", certificate);

        var result = await TryAsync(UpdateServer($"https://127.0.0.1:{server.Port}/"));

        Assert.Equal(outcome, result.Outcome.ToString());
        Assert.Contains(message, result.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(X509ChainStatusFlags.NotTimeValid, false, "Outage", "before the clock is set")]
    [InlineData(X509ChainStatusFlags.NotTimeValid, true, "Outage", "out of its time")]
    [InlineData(X509ChainStatusFlags.NotTimeValid | X509ChainStatusFlags.UntrustedRoot, false, "Failed", "is not trusted")]
    public void ACertificateOutOfItsTime_IsTheClocksOrTheServers(X509ChainStatusFlags chain, bool clockIsSet, string outcome, string message)
    {
        var result = UpdateServerProbe.JudgeTrust("updates.example", SslPolicyErrors.RemoteCertificateChainErrors, chain, clockIsSet, "");

        Assert.Equal(outcome, result.Outcome.ToString());
        Assert.Contains(message, result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARepositoryInAFolder_IsThereOrUnplugged()
    {
        var probe = UpdateServer($"file://{_folder.FullName}");
        Assert.Equal(ProbeOutcome.Outage, (await TryAsync(probe)).Outcome);
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "metadata"));
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "metadata/timestamp.json"), "{}", TestContext.Current.CancellationToken);

        Assert.True((await TryAsync(probe)).Passed);
    }

    [Fact]
    public async Task AnUpdateServerBehindAProxy_IsAskedThroughIt()
    {
        await using var proxy = new OneAnswerServer("HTTP/1.1 200 OK");
        var check = new HealthCheck { Name = "server", UpdateServer = true };

        var result = await TryAsync(new UpdateServerProbe(check, new Uri("http://repository.invalid/updates"), new Uri($"http://127.0.0.1:{proxy.Port}"), _folder.FullName));

        Assert.Equal((ProbeOutcome.Passed, "repository.invalid answers"), (result.Outcome, result.Message));
    }

    [Fact]
    public async Task AnUpdateServerThatNeverAnswers_IsAnOutage_AndNoReasonToRollBack()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var check = new HealthCheck { Name = "server", UpdateServer = true, Timeout = TimeSpan.FromSeconds(1) };
        var probe = new UpdateServerProbe(check, new Uri($"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/"), null, _folder.FullName);
        var baseline = new HealthBaseline
        {
            Version = "1.0",
            TakenAt = DateTimeOffset.UnixEpoch,
            Checks = new Dictionary<string, BaselineCheck> { ["server"] = new() { Kind = "updateServer", Outcome = ProbeOutcome.Passed, Message = "answers" } },
        };
        using var monitor = new HealthMonitor(new HealthSettings { Stabilisation = TimeSpan.Zero }, [probe], TimeProvider.System, baseline);
        await monitor.StartAsync(TestContext.Current.CancellationToken);

        await Eventually.IsTrueAsync(() => monitor.Report.State == HealthState.Healthy, "the verdict");

        Assert.Equal(["every check that counts passes", "server: no answer within 1 s"], monitor.Report.Reasons);
    }
}
