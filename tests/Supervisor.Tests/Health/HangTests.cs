using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Appliance.Core.Health;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;

namespace Supervisor.Tests.Health;

/// <summary>Checks that hang, for real: none of them holds up another, the verdict or the monitor.</summary>
public sealed class HangTests
{
    private static readonly TimeSpan Fast = TimeSpan.FromMilliseconds(20), Limit = TimeSpan.FromSeconds(1);

    private static async Task<HealthMonitor> WatchAsync(params IHealthProbe[] probes)
    {
        var monitor = new HealthMonitor(new HealthSettings { Stabilisation = TimeSpan.Zero }, [.. probes, new SetProbe("beside") { Interval = Fast }], TimeProvider.System);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        return monitor;
    }

    /// <summary>The check is out of time, again and again, while the other check and the clock go on.</summary>
    private static async Task AssertTimesOutAsync(HealthMonitor monitor, string name)
    {
        CheckStatus Check(string of) => monitor.Report.Checks.Single(check => check.Name == of);
        await Eventually.IsTrueAsync(() => Check(name).Message.StartsWith("no answer within 1 s", StringComparison.Ordinal), "the time-out");
        var (first, beside, activity) = (Check(name).Tried, Check("beside").Tried, monitor.LastActivity);
        await Eventually.IsTrueAsync(() => Check(name).Tried > first && Check("beside").Tried > beside && monitor.LastActivity > activity, "further attempts");
        Assert.Equal(CheckState.Fails, Check(name).State);
    }

    [Fact]
    public async Task ACommandThatIgnoresSigterm_IsKilledWithItsChildren()
    {
        var pids = Path.GetTempFileName();
        var probe = new CommandProbe(new HealthCheck { Name = "stubborn", Command = ["/bin/sh", "-c", $"trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> {pids}; while :; do sleep 0.1; done' & echo $$ >> {pids}; while :; do sleep 0.1; done"], Timeout = Limit });
        using (var monitor = await WatchAsync(probe))
        {
            await AssertTimesOutAsync(monitor, "stubborn");
            await monitor.StopAsync(TestContext.Current.CancellationToken);
        }

        await Eventually.IsTrueAsync(() => File.ReadAllLines(pids) is { Length: > 1 } lines && lines.All(pid => !IsAlive(pid)), "the end of what it started");
        File.Delete(pids);
    }

    private static bool IsAlive(string pid)
    {
        try
        {
            return !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has gone, perhaps while it was looked at
        }
    }

    [Fact]
    public async Task ATcpConnectionThatStalls_IsGivenUp()
    {
        // With its queue full, a listener that accepts nobody leaves newcomers without an answer.
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        var crowd = Enumerable.Range(0, 8).Select(_ => new TcpClient()).ToList();
        foreach (var client in crowd) _ = client.ConnectAsync(IPAddress.Loopback, port);
        using var monitor = await WatchAsync(new TcpProbe(new HealthCheck { Name = "stalls", Tcp = $"127.0.0.1:{port}", Timeout = Limit }));

        await AssertTimesOutAsync(monitor, "stalls");

        foreach (var client in crowd) client.Dispose();
    }

    [Fact]
    public async Task AnHttpAnswerThatTrickles_IsGivenUp()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var stop = new CancellationTokenSource();
        var serving = TrickleAsync(listener, stop.Token);
        using var http = new HttpClient();
        using var monitor = await WatchAsync(new HttpProbe(new HealthCheck { Name = "trickles", Http = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/", Timeout = Limit }, http));

        await AssertTimesOutAsync(monitor, "trickles");

        await stop.CancelAsync();
        await serving;
    }

    private static async Task TrickleAsync(TcpListener listener, CancellationToken cancellationToken)
    {
        try
        {
            while (true) _ = TrickleAsync(await listener.AcceptTcpClientAsync(cancellationToken), cancellationToken);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task TrickleAsync(TcpClient client, CancellationToken cancellationToken)
    {
        using var _ = client;
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        try
        {
            await client.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nX-Slow: "u8.ToArray(), cancellationToken);
            while (await tick.WaitForNextTickAsync(cancellationToken)) await client.GetStream().WriteAsync("."u8.ToArray(), cancellationToken);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
        }
    }

    [Fact]
    public async Task ACheckThatHoldsItsThread_HoldsOnlyOne()
    {
        using var release = new ManualResetEventSlim();
        var probe = new SetProbe("blocks") { Interval = Fast, Timeout = TimeSpan.FromMilliseconds(50), Behaviour = _ => { release.Wait(CancellationToken.None); return Task.FromResult(ProbeResult.Pass("at last")); } };
        using var monitor = await WatchAsync(probe);
        await Eventually.IsTrueAsync(() => monitor.Report.Checks[0].Message == "an attempt has not ended yet", "the attempt that is left behind");
        var beside = monitor.Report.Checks[1].Tried;
        await Eventually.IsTrueAsync(() => monitor.Report.Checks[1].Tried > beside, "the other check");
        Assert.Equal(1, probe.Attempts);

        release.Set();

        await Eventually.IsTrueAsync(() => monitor.Report.Checks[0].Message == "at last", "an attempt after it");
    }

    [Fact]
    public async Task AVerdictThatIsSlowToRecord_DoesNotHoldReadersUp()
    {
        using var release = new ManualResetEventSlim();
        using var monitor = new HealthMonitor(new HealthSettings { Stabilisation = TimeSpan.Zero }, [new SetProbe("a")], TimeProvider.System, beforePublish: _ => release.Wait(CancellationToken.None));
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        var watch = Stopwatch.StartNew();

        Assert.Equal(HealthState.Starting, monitor.Report.State);

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10));
        release.Set();
        await Eventually.IsTrueAsync(() => monitor.Report.State == HealthState.Healthy, "the verdict");
    }
}
