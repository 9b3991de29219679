using Appliance.Core;
using Appliance.Core.Provisioning;
using Appliance.Supervisor.Provisioning;
using Appliance.Supervisor.Updates;
using Supervisor.Tests.Boot;

namespace Supervisor.Tests.Provisioning;

public sealed class ProvisionerTests : IDisposable
{
    private const string Everything = """
        hostname: edge-7
        timeZone: Europe/Berlin
        network:
          - interface: eth0
            addresses: [192.0.2.7/24, "2001:db8::7/64"]
            gateway: 192.0.2.1
            dns: [192.0.2.53]
          - interface: en*
        wifi:
          - { ssid: workshop, passphrase: ' a \ secret phrase' }
          - { ssid: Café, hidden: true }
        sshKeys:
          - { name: admin, sshKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl anna] }
        proxy: { url: "http://proxy.example.net:3128", except: [.example.net] }
        fleet: { server: "https://fleet.example.net:8443", enrolmentToken: a-token }
        k3s: { role: agent, server: "https://192.0.2.1:6443", token: 'K10"x::server:y' }
        setupCode: 7k3m-q9vx
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("provision");

    public ProvisionerTests() => MakeDevice(Root);

    private string Root => _folder.FullName;
    private string Config => Path.Combine(Root, "config");
    private string Told => Path.Combine(Config, "provision.yaml");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Everything_TakesItsPlace_AndTheFileIsErased()
    {
        Take(Everything);

        Assert.Equal(["README.txt"], Directory.EnumerateFiles(Config).Select(Path.GetFileName));
        Assert.Equal("edge-7\n", Read("var/lib/appliance/etc/hostname"));
        Assert.Equal("edge-7", Read("proc/sys/kernel/hostname"));
        Assert.Equal("Europe/Berlin\n", Read("var/lib/appliance/settings/timezone"));
        Assert.Equal("/usr/share/zoneinfo/Europe/Berlin", new FileInfo(In("run/appliance/localtime")).LinkTarget);
        Assert.Contains("[Match]\nName=eth0\n\n[Network]\nLLMNR=no\nMulticastDNS=yes\nAddress=192.0.2.7/24\nAddress=2001:db8::7/64\nGateway=192.0.2.1\nDNS=192.0.2.53\n", Read("etc/systemd/network/10-provision-0.network"), StringComparison.Ordinal);
        Assert.Contains("Name=en*\n\n[Network]\nLLMNR=no\nMulticastDNS=yes\nDHCP=yes\n", Read("etc/systemd/network/10-provision-1.network"), StringComparison.Ordinal);
        Assert.Equal("[Security]\nPassphrase=\\sa \\\\ secret phrase\n", Read("var/lib/iwd/workshop.psk"));
        Assert.Equal("[Settings]\nHidden=true\n", Read("var/lib/iwd/=436166c3a9.open"));
        Assert.StartsWith("ssh-ed25519 AAAAC3", Read("var/lib/appliance/ssh-provisioned/admin"), StringComparison.Ordinal);
        Assert.Contains("https_proxy=http://proxy.example.net:3128\nHTTPS_PROXY=", Read("var/lib/appliance/settings/proxy.env"), StringComparison.Ordinal);
        Assert.Contains(",.example.net\n", Read("var/lib/appliance/settings/proxy.env"), StringComparison.Ordinal);
        Assert.Contains("server: \"https://192.0.2.1:6443\"\ntoken: \"K10\\u0022x::server:y\"\n", Read("etc/rancher/k3s/config.yaml.d/80-provision.yaml"), StringComparison.Ordinal);
        Assert.True(File.Exists(In("etc/rancher/k3s/agent")));
        Assert.Contains("\"setupCode\":\"7K3MQ9VX\",\"enrolmentToken\":\"a-token\"", Read("var/lib/appliance/supervisor/setup.json"), StringComparison.Ordinal);
        Assert.Equal((1234u, 1234u), (FileStatus.Of(In("var/lib/appliance/supervisor/setup.json")).User, FileStatus.Of(In("var/lib/appliance/supervisor/setup.json")).Group));
        foreach (var secret in new[] { "var/lib/iwd/workshop.psk", "var/lib/appliance/settings/proxy.env", "etc/rancher/k3s/config.yaml.d/80-provision.yaml", "var/lib/appliance/supervisor/setup.json" })
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(In(secret)));
    }

    /// <summary>Nothing of the file may be half there: whoever wrote it has no way to look.</summary>
    [Fact]
    public void WheneverThePowerGoes_TheNextStartDoesAllOfIt()
    {
        Take(Everything);
        var whole = Snapshot();
        for (var cut = 1; ; cut++)
        {
            Renew();
            var step = 0;
            try
            {
                Take(Everything, new Provisioner(Root) { OnStep = _ => { if (++step == cut) throw new PowerCutException(); } });
                Assert.InRange(cut, 10, 40);
                return;
            }
            catch (PowerCutException)
            {
                ProvisionVerb.Take(Config, new Provisioner(Root));
                Assert.Equal(whole, Snapshot());
                Assert.False(File.Exists(Told));
            }
        }
    }

    /// <summary>Its sectors reach the disk in any order.</summary>
    [Theory]
    [InlineData(0, 2000)]
    [InlineData(0, 512)]
    [InlineData(512, 512)]
    [InlineData(1024, 976)]
    public void AFileThatWasBeingErased_IsGone_AndDoesNothing(int start, int length)
    {
        foreach (var encoding in new[] { System.Text.Encoding.UTF8, System.Text.Encoding.Unicode })
        {
            var before = Snapshot();
            byte[] content = [.. encoding.Preamble, .. encoding.GetBytes("hostname: edge-9\n" + new string('#', 2000))];
            Array.Resize(ref content, 2000);
            content.AsSpan(start, length).Clear();
            File.WriteAllBytes(Told, content);
            ProvisionVerb.Take(Config, new Provisioner(Root));
            Assert.Equal(["README.txt"], Directory.EnumerateFiles(Config).Select(Path.GetFileName));
            Assert.Equal(before, Snapshot());
        }
    }

    /// <summary>Its file system is read-only, here: somebody else holds the file.</summary>
    [Fact]
    public void AFileThatCannotBeErased_IsTakenOnce()
    {
        const string Text = "fleet: { server: 'https://fleet.example.net', enrolmentToken: a-token }";
        var setup = In("var/lib/appliance/supervisor/setup.json");
        File.WriteAllText(Told, Text);
        using (new FileStream(Told, FileMode.Open, FileAccess.Read, FileShare.Read))
        {
            Assert.Throws<IOException>(() => ProvisionVerb.Take(Config, new Provisioner(Root)));
            Assert.True(File.Exists(setup));
            File.Delete(setup); // the supervisor has done it
            Assert.Throws<IOException>(() => ProvisionVerb.Take(Config, new Provisioner(Root)));
        }
        ProvisionVerb.Take(Config, new Provisioner(Root));
        Assert.Equal(["README.txt"], Directory.EnumerateFiles(Config).Select(Path.GetFileName));
        Assert.False(File.Exists(setup));

        Take(Text); // somebody wants it again
        Assert.True(File.Exists(setup));
    }

    [Theory]
    [InlineData("provision.yml")]
    [InlineData("provision.yaml.txt")]
    public void NamesThatEditorsGive_AreTaken(string name)
    {
        File.WriteAllText(Path.Combine(Config, name), "hostname: edge-8\r\n", System.Text.Encoding.Unicode);
        ProvisionVerb.Take(Config, new Provisioner(Root));
        Assert.Equal("edge-8\n", Read("var/lib/appliance/etc/hostname"));
        Assert.Equal(["README.txt"], Directory.EnumerateFiles(Config).Select(Path.GetFileName));
    }

    [Fact]
    public void ALaterToldTakesThePlaceOfTheOneBefore()
    {
        Take(Everything);
        Take("network: [{ interface: eth1 }]\nsshKeys: [{ name: guest, sshKeys: [] }]\nk3s: { token: another }\n");
        Assert.Contains("Name=eth1", Read("etc/systemd/network/10-provision-0.network"), StringComparison.Ordinal);
        Assert.False(File.Exists(In("etc/systemd/network/10-provision-1.network")));
        Assert.Equal(["guest"], Directory.EnumerateFiles(In("var/lib/appliance/ssh-provisioned")).Select(Path.GetFileName));
        Assert.False(File.Exists(In("etc/rancher/k3s/agent")));
        Assert.Equal("edge-7\n", Read("var/lib/appliance/etc/hostname")); // of which it says nothing
    }

    /// <summary>A network that does not work would count as a fault of the version.</summary>
    [Theory]
    [InlineData("1.0", "another boot", false)]
    [InlineData("1.0", "this boot", true)] // the same version was installed again, and runs after the next start
    [InlineData("2.0", "another boot", true)] // what is on trial is not what runs
    public void WhileTheVersionIsOnTrial_NoFileIsTaken(string version, string installedBy, bool isTaken)
    {
        var path = In("var/lib/appliance/update/trial.json");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Directory.CreateDirectory(In("proc/sys/kernel/random"));
        File.WriteAllText(In("proc/sys/kernel/random/boot_id"), "this boot\n");
        new TrialRecord { Version = version, From = "0.9", Slot = "b", InstalledBy = installedBy }.Write(path);
        Take("hostname: edge-7");
        Assert.Equal(isTaken, !File.Exists(Told));
        Assert.Equal(isTaken, File.Exists(In("var/lib/appliance/etc/hostname")));

        TrialRecord.Delete(path);
        ProvisionVerb.Take(Config, new Provisioner(Root));
        Assert.Equal("edge-7\n", Read("var/lib/appliance/etc/hostname"));
    }

    [Theory]
    [InlineData("var/lib/iwd/.workshop.psk")]
    [InlineData("var/lib/iwd/.workshop.open")]
    [InlineData("var/lib/appliance/settings/.proxy.env")]
    [InlineData("etc/rancher/k3s/config.yaml.d/.80-provision.yaml")]
    [InlineData("var/lib/appliance/supervisor/.setup.json")]
    public void WhatAPowerCutLeftOfWritingASecret_IsGone(string path)
    {
        var left = In($"{path}.{Guid.NewGuid():N}.tmp");
        Directory.CreateDirectory(Path.GetDirectoryName(left)!);
        File.WriteAllText(left, "secret");
        Take(Everything);
        Assert.False(File.Exists(left));
    }

    [Fact]
    public void WhatIsNamedAndEmpty_IsTakenBack()
    {
        var before = Files();
        Take("network: [{ interface: eth1 }]\nwifi: [{ ssid: x, passphrase: a passphrase }]\nsshKeys: [{ name: guest, sshKeys: [] }]\nproxy: { url: 'http://proxy' }");
        Assert.NotEqual(before, Files());
        Take("network: []\nwifi: []\nsshKeys: []\nproxy: { url: none }");
        Assert.Equal(before, Files());

        string[] Files() => [.. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void Wifi_TakesThePlaceOfWhatAnEarlierFileSaid_AndOfNothingElse()
    {
        Directory.CreateDirectory(In("var/lib/iwd"));
        File.WriteAllText(In("var/lib/iwd/own.psk"), "by hand");
        const string First = "wifi: [{ ssid: workshop, passphrase: a passphrase }, { ssid: store }]", Second = "wifi: [{ ssid: workshop }, { ssid: yard }]";
        for (var cut = 1; ; cut++)
        {
            Take(First);
            Assert.Equal(["own.psk", "store.open", "workshop.psk"], Profiles());
            var step = 0;
            try
            {
                Take(Second, new Provisioner(Root) { OnStep = _ => { if (++step == cut) throw new PowerCutException(); } });
            }
            catch (PowerCutException)
            {
                // The next start does it again, or takes what somebody put in its place.
            }
            var whole = step < cut;
            if (!whole) Take(cut % 2 == 0 ? Second : First);
            Assert.Equal(whole || cut % 2 == 0 ? ["own.psk", "workshop.open", "yard.open"] : ["own.psk", "store.open", "workshop.psk"], Profiles());
            if (whole) break;
        }
        Take("hostname: edge-8");
        Assert.Equal(["own.psk", "workshop.open", "yard.open"], Profiles());

        IEnumerable<string?> Profiles() => Directory.EnumerateFiles(In("var/lib/iwd")).Select(Path.GetFileName).Order(StringComparer.Ordinal);
    }

    [Theory]
    [InlineData("hostname: Edge_7", "provision.yaml:1:11: hostname: expected a host name")]
    [InlineData("hostnam: edge", "did you mean hostname?")]
    [InlineData("timeZone: Europe/Berlln", "there is no time zone Europe/Berlln")]
    [InlineData("network: [{ interface: eth0, gateway: 192.0.2.1 }]", "name addresses, or leave it out")]
    [InlineData("network: [{ interface: eth0, addresses: [192.0.2.7] }]", "expected an address with its prefix")]
    [InlineData("network: [{ interface: eth0, addresses: [192.0.2.7/33] }]", "expected an address with its prefix")]
    [InlineData("sshKeys: [{ name: eve, sshKeys: [] }]", "this image has no user eve")]
    [InlineData("sshKeys: [{ name: admin, sshKeys: [] }, { name: admin, sshKeys: [] }]", "1:41: sshKeys[1]: this user stands in the list already")]
    [InlineData("proxy: { url: none, except: [.example.net] }", "leave it out")]
    [InlineData("k3s: { role: agent }", "an agent joins a cluster; name a server of it")]
    [InlineData("k3s: { server: 'https://192.0.2.1:6443' }", "a node joins by a token; name it")]
    [InlineData("fleet: { server: 'https://fleet.example.net' }", "the key enrolmentToken is missing")]
    [InlineData("fleet: { enrolmentToken: x }", "neither the file nor the image names a server")]
    [InlineData("fleet: { enrolmentToken: x, server: 'https://f', trust: \"-----BEGIN CERTIFICATE-----\" }", "certificate")]
    [InlineData("hostname: [", "this is not valid YAML")]
    public void WhatCannotBeDone_IsSaidWhereTheFileIs_AndNothingIsChanged(string text, string why)
    {
        var before = Snapshot();
        Take(text);
        Assert.Contains(why, File.ReadAllText(Path.Combine(Config, "provision-error.txt")), StringComparison.Ordinal);
        Assert.True(File.Exists(Told));
        Assert.Equal(before, Snapshot());

        Take("hostname: edge-9");
        Assert.Equal(["README.txt"], Directory.EnumerateFiles(Config).Select(Path.GetFileName));
    }

    /// <summary>What .NET takes for an address, and networkd does not.</summary>
    [Theory]
    [InlineData("192.0.2")]
    [InlineData("192.0.2.010")]
    [InlineData("0xc0.0.2.7")]
    [InlineData("3221225991")]
    [InlineData(" 192.0.2.7")]
    [InlineData("[2001:db8::7]")]
    [InlineData("[2001:db8::7]:80")]
    [InlineData("fe80::1%eth0")]
    [InlineData("fe80::1%\\nDHCP=yes")]
    public void AnAddressThatNetworkdDoesNotTake_IsRefused(string address)
    {
        foreach (var text in new[] { $"addresses: [\"{address}/24\"]", $"addresses: [192.0.2.7/24], gateway: \"{address}\"", $"dns: [\"{address}\"]" })
        {
            Take($"network: [{{ interface: eth0, {text} }}]");
            Assert.Contains("expected an address", File.ReadAllText(Path.Combine(Config, "provision-error.txt")), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AnAddress_IsWrittenInItsOneForm()
    {
        Take("network: [{ interface: eth0, addresses: [\"2001:DB8:0:0::0007/064\"], gateway: \"FE80::0001\" }]");
        Assert.Contains("Address=2001:db8::7/64\nGateway=fe80::1\n", Read("etc/systemd/network/10-provision-0.network"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wifi: [{ ssid: x, passphrase: p4ssw0r }]")]
    [InlineData("setupCode: p4ssw0rd-1")]
    [InlineData("fleet: { enrolmentToken: 'p4ssw0rd p4ssw0rd' }")]
    [InlineData("hostname: P4ssw0rd p4ssw0rd")]
    [InlineData("proxy: http://user:p4ssw0rd@proxy:3128")]
    [InlineData("proxy: { url: 'https://user:p4ssw0rd@proxy:3128' }")]
    [InlineData("fleet: p4ssw0rd")]
    [InlineData("fleet: { p4ssw0rd }")]
    [InlineData("fleet: { enrolmentToken: x, server: 'https://user:p4ssw0rd@fleet.example.net' }")]
    [InlineData("k3s: { token: x, server: 'https://user:p4ssw0rd@192.0.2.1:6443' }")]
    [InlineData("wifi: p4ssw0rd")]
    [InlineData("wifi: { p4ssw0rd: x, p4ssw0rd: x }")]
    [InlineData("wifi: [{ ssid: x, hidden: p4ssw0rd }]")]
    [InlineData("proxy: { url: 'http://proxy', except: [p4ssw0rd, p4ssw0rd] }")]
    [InlineData("p4ssw0rd")]
    public void AnError_ShowsNoSecret(string text)
    {
        Take(text);
        Assert.DoesNotContain("p4ssw0r", File.ReadAllText(Path.Combine(Config, "provision-error.txt")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hostname: x", "/etc/hostname")]
    [InlineData("network: [{ interface: e }]", "/etc/systemd/network")]
    [InlineData("k3s: { token: x }", "/etc/rancher")]
    public void WhatThisImageDoesNotKeep_IsRefused(string text, string path)
    {
        File.WriteAllText(In("usr/lib/appliance/persist"), "/etc/machine-id\n");
        Take(text);
        Assert.Contains($"this image keeps nothing of {path}", File.ReadAllText(Path.Combine(Config, "provision-error.txt")), StringComparison.Ordinal);
    }

    private void Take(string text, Provisioner? provisioner = null)
    {
        File.WriteAllText(Told, text);
        ProvisionVerb.Take(Config, provisioner ?? new Provisioner(Root));
    }

    private string In(string path) => Path.Combine(Root, path);

    private string Read(string path) => File.ReadAllText(In(path));

    private List<string> Snapshot() => [.. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Where(path => !path.StartsWith(Config, StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        .Select(path => $"{Path.GetRelativePath(Root, path)} {(int)File.GetUnixFileMode(path)} {(new FileInfo(path).LinkTarget ?? File.ReadAllText(path))}")];

    private void Renew()
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(Root))
            if (Directory.Exists(entry)) Directory.Delete(entry, recursive: true);
        MakeDevice(Root);
    }

    private static void MakeDevice(string root)
    {
        foreach (var folder in new[] { "config", "proc/sys/kernel", "etc/systemd/network", "etc/rancher", "usr/libexec", "usr/share/zoneinfo/Europe", "etc/ssh/sshd_config.d", "usr/lib/appliance", "var/lib/appliance/etc", "var/lib/appliance/supervisor" }) Directory.CreateDirectory(Path.Combine(root, folder));
        foreach (var (path, text) in new[]
        {
            ("config/README.txt", "read me"), ("proc/sys/kernel/hostname", "appliance"), ("usr/libexec/iwd", ""), ("usr/share/zoneinfo/Europe/Berlin", ""), ("etc/ssh/sshd_config.d/10-appliance.conf", ""),
            ("usr/lib/os-release", "IMAGE_ID=edge\nIMAGE_VERSION=1.0\nAPPLIANCE_WORKLOADS=k3s\n"), ("usr/lib/appliance/persist", "/etc/hostname\n/etc/systemd/network\n/etc/rancher\n"),
            ("etc/passwd", "root:x:0:0::/root:/bin/sh\nappliance:x:1234:1234::/:/bin/false\nadmin:x:1000:1000::/:/bin/sh\nguest:x:1001:1001::/:/bin/sh\n"),
        }) File.WriteAllText(Path.Combine(root, path), text);
    }
}
