using System.Diagnostics;
using Appliance.ImageBuilder.Run;

namespace Appliance.SystemTests.Fleet;

/// <summary>
/// A device whose site has a wireless network and lets nothing out but by a proxy: iwd with the kernel's simulated radios and
/// hostapd as the access point, tinyproxy as the proxy.
/// </summary>
public sealed class ProvisionedNetworkTests : IAsyncLifetime
{
    private const string Ssid = "Wërkstatt 7", Passphrase = " back\\slash and \"quotes\" ";

    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Product.Root, "out", "test-network"));
    private readonly FleetServer _server = new();
    private readonly int _port = RunCommand.FreePort(18888);
    private Process? _proxy;

    private string ProxyLog => Path.Combine(_folder.FullName, "proxy.log");

    public async ValueTask InitializeAsync()
    {
        await _server.StartAsync();
        await StartProxyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
        {
            _proxy.Kill(entireProcessTree: true);
            await _proxy.WaitForExitAsync(CancellationToken.None);
            _proxy.Dispose();
        }
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact(Explicit = true)]
    public async Task ADevice_JoinsTheHiddenNetwork_AndItsFleetByTheProxyAlone()
    {
        await using var machine = await RunningMachine.StartAsync("network", await FlashAsync(await BuildAsync()));
        await machine.WaitForGoodBootAsync();

        // Given by whoever is behind the access point, and by nobody else.
        await machine.WaitAsync("an address by wireless", async () => (await machine.RunAsync("ip -4 -o addr show")).Contains(" 192.0.2.7/24 ", StringComparison.Ordinal));
        Assert.Contains(Ssid, await machine.RunAsync("iwctl station wlan0 show"), StringComparison.Ordinal);
        Assert.Equal("700 600", await machine.RunAsync("echo $(stat -c %a /var/lib/iwd) $(stat -c %a /var/lib/iwd/*.psk)"));

        // The proxy alone knows where the server's name leads.
        await machine.WaitAsync("the connection", async () => (string?)(await machine.ControlAsync())?["fleet"]?["state"] == "connected");
        Assert.NotEqual(0, (await machine.Shell.RunAsync($"getent ahosts {FleetServer.Name}", TestContext.Current.CancellationToken)).ExitCode);
        Assert.Contains($"CONNECT {FleetServer.Name}:", await File.ReadAllTextAsync(ProxyLog, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal("0", await machine.RunAsync("journalctl --all --output export | grep -a -c -e passing-by -e 'back.slash and' || true"));
    }

    /// <summary>tinyproxy, where the server's name is known.</summary>
    private async Task StartProxyAsync()
    {
        var (hosts, settings) = (Path.Combine(_folder.FullName, "hosts"), Path.Combine(_folder.FullName, "tinyproxy.conf"));
        await File.WriteAllTextAsync(hosts, $"127.0.0.1 localhost {FleetServer.Name}\n");
        await File.WriteAllTextAsync(settings, $"""
            Port {_port}
            Listen 127.0.0.1
            LogFile "{ProxyLog}"
            LogLevel Connect
            BasicAuth edge passing-by

            """);
        _proxy = Process.Start("unshare", ["--mount", "sh", "-c", $"mount --bind '{hosts}' /etc/hosts && exec tinyproxy -d -c '{settings}'"]);
    }

    private async Task<string> FlashAsync(string image)
    {
        var (told, disk) = (Path.Combine(_folder.FullName, "told.yaml"), Path.Combine(_folder.FullName, "disk.img"));
        await File.WriteAllTextAsync(told, $$"""
            hostname: edge-7
            wifi: [{ ssid: {{Ssid}}, passphrase: '{{Passphrase}}', hidden: true }]
            proxy: { url: "http://edge:passing-by@10.0.2.2:{{_port}}" }
            {{await _server.InviteAsync(_server.NamedAddress)}}
            """);
        await Product.SucceedAsync("flash", image, disk, "--provision", told);
        return disk;
    }

    private async Task<string> BuildAsync()
    {
        WriteAccessPoint(Path.Combine(_folder.FullName, "air"));
        var definition = Path.Combine(_folder.FullName, "edge.yaml");
        await File.WriteAllTextAsync(definition, """
            id: edge
            version: 1.0
            suite: trixie
            board: uefi-x86_64
            sourceDate: 2026-11-01
            overlays: [overlays/base, overlays/supervisor, air]
            packages:
              add: [iwd, iw, hostapd, dnsmasq-base]
            services:
              enable: [iwd.service, air.service]
            sizes: { esp: 256MiB, slot: 1GiB, data: 256MiB }
            persist: [/etc/appliance, /etc/hostname, /etc/machine-id, /etc/systemd/network]

            """);
        await Product.SucceedAsync("build", definition, "--output", _folder.FullName, "--cache", Product.Cache, "--json");
        return Path.Combine(_folder.FullName, "edge_1.0_amd64", "disk.img");
    }

    /// <summary>The second radio, in a network of its own: an access point that hides its name, and who gives addresses behind it.</summary>
    private static void WriteAccessPoint(string overlay)
    {
        var (units, settings) = (Directory.CreateDirectory(Path.Combine(overlay, "usr/lib/systemd/system")).FullName, Directory.CreateDirectory(Path.Combine(overlay, "usr/lib/edge")).FullName);
        File.WriteAllText(Path.Combine(units, "air.service"), """
            [Unit]
            Description=An access point within reach
            Before=iwd.service
            [Service]
            ExecStartPre=modprobe mac80211_hwsim radios=2
            ExecStartPre=ip netns add air
            ExecStartPre=iw phy phy1 set netns name air
            ExecStartPre=ip -n air address add 192.0.2.1/24 dev wlan1
            ExecStartPre=ip netns exec air dnsmasq --port=0 --user=root --interface=wlan1 --bind-dynamic --dhcp-range=192.0.2.7,192.0.2.7 --dhcp-leasefile=/run/air.leases --pid-file=/run/air.pid
            ExecStart=ip netns exec air hostapd /usr/lib/edge/hostapd.conf
            [Install]
            WantedBy=multi-user.target
            """);
        File.WriteAllText(Path.Combine(settings, "hostapd.conf"), $"""
            interface=wlan1
            driver=nl80211
            hw_mode=g
            channel=1
            utf8_ssid=1
            ssid={Ssid}
            ignore_broadcast_ssid=1
            wpa=2
            wpa_key_mgmt=WPA-PSK
            rsn_pairwise=CCMP
            wpa_passphrase={Passphrase}

            """);
    }
}
