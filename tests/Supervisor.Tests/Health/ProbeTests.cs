using Appliance.Core.Health;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;
using Appliance.Supervisor.Systemd;

namespace Supervisor.Tests.Health;

/// <summary>Probes against a real bus and the files of a device.</summary>
public sealed class ProbeTests : IAsyncLifetime
{
    private readonly PrivateBus _bus = new();
    private readonly DeviceTree _device = new();
    private BusConnection _systemdBus = null!, _own = null!;
    private FakeSystemd _systemd = null!;
    private Systemd1 _manager = null!;

    public async ValueTask InitializeAsync()
    {
        (_systemdBus, _own) = (new BusConnection(_bus.Address), new BusConnection(_bus.Address));
        _systemd = new FakeSystemd(_systemdBus);
        await _systemd.StartAsync();
        _manager = new Systemd1(_own);
    }

    public async ValueTask DisposeAsync()
    {
        await _own.DisposeAsync();
        await _systemdBus.DisposeAsync();
        _bus.Dispose();
        _device.Dispose();
    }

    private static Task<ProbeResult> TryAsync(IHealthProbe probe) => probe.TryAsync(TestContext.Current.CancellationToken);

    [Theory]
    [InlineData("active", "Passed", "web.service is active")]
    [InlineData("activating", "Waiting", "web.service is starting")]
    [InlineData("failed", "Failed", "web.service is failed")]
    [InlineData("inactive", "Failed", "web.service is inactive")]
    [InlineData("", "Failed", "web.service does not exist")]
    public async Task AUnit_IsJudgedByItsState(string state, string outcome, string message)
    {
        _systemd.Units["web.service"] = state;

        var result = await TryAsync(new UnitProbe(new HealthCheck { Name = "web", Unit = "web.service" }, _manager));

        Assert.Equal((outcome, message), (result.Outcome.ToString(), result.Message));
    }

    [Fact]
    public async Task AUnitThatEndsAgainAndAgain_Fails_ThoughSystemdSaysActivating()
    {
        _systemd.Units["web.service"] = "activating";
        _systemd.SubStates["web.service"] = "auto-restart";

        Assert.Equal(ProbeOutcome.Failed, (await TryAsync(new UnitProbe(new HealthCheck { Name = "web", Unit = "web.service" }, _manager))).Outcome);
    }

    [Fact]
    public async Task AChangedUnit_IsNamed()
    {
        var changed = new List<string>();
        await _manager.FollowChangesAsync(unit => { lock (changed) changed.Add(unit); });

        await _systemd.AnnounceChangeAsync("getty@tty-1.service");

        await Eventually.IsTrueAsync(() => { lock (changed) return changed.Contains("getty@tty-1.service"); }, "the unit's name");
    }

    /// <summary>Asking for a unit at rest has systemd announce it; whoever asks at every announcement would never end.</summary>
    [Fact]
    public async Task AUnitThatIsAnnouncedAsItWas_HasNotChanged()
    {
        var changed = new List<string>();
        await _manager.FollowChangesAsync(unit => { lock (changed) changed.Add(unit); });

        await _systemd.AnnounceChangeAsync("job.service");
        for (var i = 0; i < 3; i++) await _systemd.AnnounceAsync("job.service");
        await _systemd.AnnounceChangeAsync("job.service");
        await _systemd.AnnounceChangeAsync("last.service");

        await Eventually.IsTrueAsync(() => { lock (changed) return changed.Contains("last.service"); }, "the last unit");
        Assert.Equal(["job.service", "job.service", "last.service"], changed);
    }

    [Theory]
    [InlineData(1L, null, true)]
    [InlineData(1L << 60, null, false)]
    [InlineData(null, 1, true)]
    public async Task ADisk_NeedsItsRoom(long? bytes, int? percent, bool passes) =>
        Assert.Equal(passes, (await TryAsync(new DiskProbe(new HealthCheck { Name = "room", Disk = new DiskRequirement("/", bytes, percent) }))).Passed);

    [Fact]
    public async Task ADiskThatIsNotThere_SaysSo() =>
        Assert.Equal("/nowhere does not exist", (await TryAsync(new DiskProbe(new HealthCheck { Name = "room", Disk = new DiskRequirement("/nowhere", 1, null) }))).Message);

    [Fact]
    public async Task TheClock_IsSynchronisedOnceTimesyncdSaysSo()
    {
        var probe = new TimeSyncProbe(new HealthCheck { Name = "clock", TimeSync = true }, _device.Root);
        Assert.Equal(ProbeOutcome.Failed, (await TryAsync(probe)).Outcome);

        _device.Write("run/systemd/timesync/synchronized", "");

        Assert.True((await TryAsync(probe)).Passed);
    }

    private const string Header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    [Theory]
    [InlineData(Header + "eth0\t00000000\t0202000A\t0003\t0\t0\t1024\t00000000\t0\t0\t0\n", "", true)]
    [InlineData(Header + "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "", false)]
    [InlineData("", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n", true)]
    [InlineData("", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n", false)]
    public async Task TheNetwork_NeedsAnAddressAndADefaultRoute(string ipv4, string ipv6, bool passes)
    {
        _device.Write("proc/net/route", ipv4);
        _device.Write("proc/net/ipv6_route", ipv6);

        Assert.Equal(passes, (await TryAsync(new NetworkProbe(_device.Root, () => ["10.0.2.15"]))).Passed);
        Assert.Equal("there is no address", (await TryAsync(new NetworkProbe(_device.Root, () => []))).Message);
    }

    [Theory]
    [InlineData("0x1003", "down", "Outage")]
    [InlineData("0x1003", "up", "Failed")]
    [InlineData("0x1002", "down", "Failed")]
    public async Task WithoutALink_TheNetworkIsDown_AndNotThisMachine(string flags, string state, string outcome)
    {
        Interface("lo", "0x49", "unknown", real: false);
        Interface("docker0", "0x1003", "up", real: false);
        Interface("eth0", flags, state, real: true);

        Assert.Equal(outcome, (await TryAsync(new NetworkProbe(_device.Root, () => []))).Outcome.ToString());
    }

    private void Interface(string name, string flags, string state, bool real)
    {
        _device.Write($"sys/class/net/{name}/flags", flags + "\n");
        _device.Write($"sys/class/net/{name}/operstate", state + "\n");
        if (real) _device.Write($"sys/class/net/{name}/device/vendor", "");
    }

    [Fact]
    public async Task Systemd_LeavesOurOwnWork_AndRunsOfContainersHealthChecks_Aside()
    {
        _systemd.Units[$"{new string('a', 64)}-7ad51a6457ea3505.service"] = "failed";
        Assert.Equal((ProbeOutcome.Passed, "all units started, none failed"), await TryAsync());

        _systemd.Jobs.Add("appliance-worker@62-613-989.service"); // one that another check has started
        Assert.Equal((ProbeOutcome.Passed, "all units started, none failed"), await TryAsync());

        _systemd.Units["web.service"] = "failed";
        Assert.Equal((ProbeOutcome.Failed, "failed: web.service"), await TryAsync());

        async Task<(ProbeOutcome, string)> TryAsync() => await new SystemdProbe(_manager).TryAsync(TestContext.Current.CancellationToken) is var result ? (result.Outcome, result.Message) : default;
    }

    [Fact]
    public async Task Workloads_AreTheServicesThatQuadletMade()
    {
        Quadlet("web", "");
        Quadlet("net-network", "Type=oneshot\n");
        Quadlet("job@", "");
        _device.Write("run/systemd/generator/other.service", "[Unit]\nSourcePath=/etc/fstab\n");
        (_systemd.Units["web.service"], _systemd.Units["net-network.service"], _systemd.Units["other.service"]) = ("active", "inactive", "failed");
        var workloads = new UnitWorkloads(_device.Root, "podman", _manager);

        var result = await workloads.TryWorkloadsAsync(TestContext.Current.CancellationToken);

        Assert.Equal((ProbeOutcome.Passed, "1 of 2 container units active, none failed"), (result.Outcome, result.Message));
        Assert.Equal(["web.service"], result.Working);
        Assert.Empty(result.Resting);
        Assert.True(workloads.Follows("web.service"));
        Assert.False(workloads.Follows("ssh.service"));

        _systemd.Units["web.service"] = "failed";
        Assert.Equal(["web.service"], (await workloads.TryWorkloadsAsync(TestContext.Current.CancellationToken)).Failing);
        _systemd.Units["web.service"] = "inactive";
        Assert.Equal(["web.service"], (await workloads.TryWorkloadsAsync(TestContext.Current.CancellationToken)).Resting);
    }

    [Fact]
    public async Task K3s_NeedsItsService()
    {
        var workloads = new UnitWorkloads(_device.Root, "k3s", _manager);
        Assert.Equal(["k3s.service"], (await workloads.TryNodeAsync(TestContext.Current.CancellationToken)).Failing);

        _systemd.Units["k3s.service"] = "activating";
        Assert.Equal(ProbeOutcome.Waiting, (await workloads.TryWorkloadsAsync(TestContext.Current.CancellationToken)).Outcome);
        _systemd.Units["k3s.service"] = "active";

        Assert.True((await workloads.TryNodeAsync(TestContext.Current.CancellationToken)).Passed);
        // A node without a control plane.
        (_systemd.Units["k3s.service"], _systemd.Units["k3s-agent.service"]) = ("inactive", "active");
        Assert.True((await workloads.TryWorkloadsAsync(TestContext.Current.CancellationToken)).Passed);
    }

    private void Quadlet(string name, string more) =>
        _device.Write($"run/systemd/generator/{name}.service", $"# Automatically generated\n[Unit]\nSourcePath=/usr/share/containers/systemd/{name}.container\n[Service]\n{more}");
}
