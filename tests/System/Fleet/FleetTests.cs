using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Appliance.SystemTests.Updates;

namespace Appliance.SystemTests.Fleet;

/// <summary>A device as a member of a fleet, end to end: the real image in QEMU, the real server with TLS and a repository.</summary>
public sealed class FleetTests : IAsyncLifetime
{
    /// <summary>The key of whoever signs lists of keys; kept beside the images that trust it, which are built for long.</summary>
    private static readonly string Signer = Path.Combine(Product.Root, "out", "test-signer", "key");

    private static string Credentials => $"""
        users:
          - name: admin
            sshKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJyzGh+LMFM+OqNYNCu2V0g1kcQssKqTdjoMVhBjIrwL nobody]
        credentials:
          files:
            - name: key
              path: /var/lib/edge/key
              make: /usr/lib/edge/new-key
              reload: edge.service
          sshSigners: [{SignerKey()}]
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fleet");
    private readonly UpdateRepository _repository = new("test-fleet", sources: "channel: stable", more: Credentials); // nobody asks the repository but for the server
    private readonly FleetServer _server = new();
    private string _device = "";

    public async ValueTask InitializeAsync()
    {
        await _repository.InitializeAsync();
        await _repository.PublishAsync(UpdateRepository.Unhealthy);
        await _server.StartAsync(_repository.Repository);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _repository.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact(Explicit = true)]
    public async Task ADevice_Joins_DoesWhatIsAssigned_AlsoWhenThePowerGoes_AndSaysHowItWent()
    {
        await using var machine = await RunningMachine.StartAsync("fleet", await FlashAsync(), Path.Combine(_folder.FullName, "state.qcow2"));
        await machine.WaitForGoodBootAsync();
        await HasDoneWhatItWasToldAsync(machine);
        await machine.WaitAsync("the connection", async () => (string?)(await machine.ControlAsync())?["fleet"]?["state"] == "connected");
        _device = (string)(await machine.ControlAsync())!["fleet"]!["device"]!;
        await machine.WaitAsync("health at the server", async () => (string?)(await DeviceAsync())["health"] == "healthy");
        Assert.Equal((UpdateRepository.First, "vm-x86_64"), ((string?)(await DeviceAsync())["attributes"]!["version"], (string?)(await DeviceAsync())["attributes"]!["board"]));
        await machine.WaitAsync("a certificate instead of the token", async () => (await machine.ControlAsync())?["fleet"]?["certificateUntil"] is not null);
        Assert.Equal("600 appliance", await machine.RunAsync("stat -c '%a %U' /var/lib/appliance/supervisor/fleet.json"));
        Assert.Equal("sealed", await machine.RunAsync("grep -q 'PRIVATE KEY' /var/lib/appliance/supervisor/fleet.json || grep -o sealed /var/lib/appliance/supervisor/fleet.json"));

        await CredentialsAreChangedAsync(machine);
        await KeysOfPeopleAreChangedAsync(machine);

        // It is told at once, and goes on when the power has gone in the middle.
        var good = await AssignAsync(UpdateRepository.Good);
        await machine.WaitAsync("the download", async () => (string?)(await machine.ControlAsync())?["updateState"] == "downloading");
        await machine.PullThePlugAsync();
        await EndsAsync(machine, good, "finished");
        Assert.Equal(UpdateRepository.Good, (string?)(await machine.ControlAsync())!["version"]);
        await machine.WaitAsync("the version at the server", async () => (string?)(await DeviceAsync())["attributes"]!["version"] == UpdateRepository.Good);

        var bad = await AssignAsync(UpdateRepository.Unhealthy);
        await EndsAsync(machine, bad, "failed");
        Assert.Equal(UpdateRepository.Good, (string?)(await machine.ControlAsync())!["version"]);
        Assert.Contains("product", (string?)(await ActionAsync(bad))["detail"], StringComparison.Ordinal);
        await machine.WaitAsync("its journal at the server", async () => (await _server.GetAsync($"devices/{_device}/log?take=500&priority=4")).ToJsonString().Contains(UpdateRepository.Unhealthy, StringComparison.Ordinal));
    }

    /// <summary>The image on a disk of its own, with what this device is told: to whom it belongs, and that nobody need come to it.</summary>
    private async Task<string> FlashAsync()
    {
        MakeKey(Path.Combine(_folder.FullName, "ben"));
        var (told, disk) = (Path.Combine(_folder.FullName, "told.yaml"), Path.Combine(_folder.FullName, "disk.img"));
        await File.WriteAllTextAsync(told, $"""
            hostname: edge-7
            timeZone: Asia/Tokyo
            network: [{"{"} interface: en*, addresses: [10.0.2.15/24], gateway: 10.0.2.2, dns: [10.0.2.3] {"}"}]
            sshKeys: [{"{"} name: admin, sshKeys: [{(await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "ben.pub"))).Trim()}] {"}"}]
            setupCode: 7k3m-q9vx
            {await _server.InviteAsync(_server.Address)}
            """);
        await Product.SucceedAsync("flash", _repository.Disk(UpdateRepository.First), disk, "--provision", told);
        return disk;
    }

    private async Task HasDoneWhatItWasToldAsync(RunningMachine machine)
    {
        Assert.Equal("edge-7", await machine.RunAsync("hostname"));
        Assert.Equal("JST", await machine.RunAsync("date +%Z"));
        Assert.Equal("1 0", await machine.RunAsync("echo $(ip -4 -o addr show | grep -c ' 10.0.2.15/24 ') $(ls /run/systemd/netif/leases | wc -l)")); // and nobody was asked for it
        Assert.Equal("7K3M-Q9VX", await machine.RunAsync("appliancectl setup-code"));
        await WriteAsync(machine, "/run/ben", await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "ben")));
        Assert.Equal("admin", await machine.RunAsync("chmod 600 /run/ben; ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -i /run/ben admin@localhost id -un 2>/dev/null"));
        // Nothing is left of it on the disk.
        Assert.Equal("README.TXT", (await machine.RunAsync("mkdir -p /run/config; mount -r /dev/disk/by-partlabel/config /run/config; ls /run/config; umount /run/config")).ToUpperInvariant());
        Assert.Equal("0", await machine.RunAsync("grep -a -c 7k3m-q9vx /dev/disk/by-partlabel/config || true"));
        await machine.WaitAsync("the end of the setup", async () => await machine.RunAsync("ls /var/lib/appliance/supervisor/setup.json 2>/dev/null || echo gone") == "gone");
    }

    /// <summary>By somebody at the device, by the server, and while the power goes; and no secret is where it should not be.</summary>
    private async Task CredentialsAreChangedAsync(RunningMachine machine)
    {
        await WriteAsync(machine, "/run/planted", "a-planted-secret");
        await machine.RunAsync("appliancectl credentials set key /run/planted && rm /run/planted");
        Assert.Equal("600 a-planted-secret", await machine.RunAsync("echo $(stat -c %a /var/lib/edge/key) $(cat /var/lib/edge/key)"));
        await machine.RunAsync("appliancectl credentials rotate key");
        Assert.DoesNotContain("planted", await machine.RunAsync("cat /var/lib/edge/key"), StringComparison.Ordinal);
        Assert.Equal("active", await machine.RunAsync("systemctl is-active edge.service"));

        var before = await machine.RunAsync("ssh-keyscan -t ed25519 localhost 2>/dev/null");
        var action = (long)await _server.PostAsync($"devices/{_device}/actions", new { release = (long)(await _server.PostAsync("rotations", new { credential = "ssh-host-key" }))["id"]! });
        await EndsAsync(machine, action, "finished");
        Assert.Equal(before, await machine.RunAsync("ssh-keyscan -t ed25519 localhost 2>/dev/null")); // both, for a while
        Assert.Equal("2", await machine.RunAsync("sshd -T | grep -c '^hostkey /'"));
        await machine.RunAsync("appliancectl credentials rotate ssh-host-key --emergency");
        Assert.NotEqual(before, await machine.RunAsync("ssh-keyscan -t ed25519 localhost 2>/dev/null"));

        var certificate = (await machine.ControlAsync())!["fleet"]!["certificateUntil"]!.ToJsonString();
        await machine.BeginAsync("appliancectl credentials rotate all");
        await machine.WaitAsync("a rotation", async () => (await machine.ControlAsync())?["currentJob"]?.ToString().Length > 1);
        await machine.PullThePlugAsync();
        await machine.WaitAsync("the connection", async () => (string?)(await machine.ControlAsync())?["fleet"]?["state"] == "connected");
        await machine.WaitAsync("the end of what was interrupted", async () => (await machine.ControlAsync())?["credentials"]?.AsArray() is { Count: >= 4 } all && all.All(row => (string?)row!["step"] is "idle" or "grace" && row["trouble"] is null));
        await machine.RunAsync("appliancectl credentials rotate all");
        Assert.NotEqual(certificate, (await machine.ControlAsync())!["fleet"]!["certificateUntil"]!.ToJsonString());
        await machine.WaitAsync("the dates at the server", async () => (await DeviceAsync())["attributes"]!["credential.device-certificate.until"] is not null);

        // Neither in the journal, nor in what somebody sends to others, nor in what is kept aside for going back.
        Assert.Equal("0", await machine.RunAsync("journalctl --all --output export | grep -a -c -e a-planted-secret -e 'PRIVATE KEY' || true"));
        Assert.Equal("0", await machine.RunAsync("appliancectl support-bundle /run/support.tar.gz >/dev/null; zcat /run/support.tar.gz | grep -a -c -e a-planted-secret -e 'PRIVATE KEY' || true"));
        Assert.Equal("", await machine.RunAsync("find /var/lib/systemd/coredump -type f 2>/dev/null || true"));
        Assert.Equal("", await machine.RunAsync("grep -r -l -a -e a-planted-secret /var/lib/appliance /run /tmp 2>/dev/null || true"));
    }

    /// <summary>By the server, which has a list that somebody else has signed; a client in the machine is the judge.</summary>
    private async Task KeysOfPeopleAreChangedAsync(RunningMachine machine)
    {
        const string LogIn = "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -i /run/anna admin@localhost id -un 2>/dev/null || echo refused";
        await machine.RunAsync("ssh-keygen -q -t ed25519 -N '' -C anna -f /run/anna");
        Assert.Equal("refused", await machine.RunAsync(LogIn));

        var first = await SignAsync($"serial: 1\nusers: [{{ name: admin, sshKeys: [{await machine.RunAsync("cat /run/anna.pub")}] }}]\n");
        var release = await _server.PutAsync("releases/ssh-authorized-keys/1/files/list?part=rotation", first);
        await EndsAsync(machine, (long)await _server.PostAsync($"devices/{_device}/actions", new { release = (long)release["id"]! }), "finished");
        Assert.Equal("admin", await machine.RunAsync(LogIn));

        // It holds after a power cut, and whoever is on it no more does not get in; nor by an older list.
        await machine.PullThePlugAsync();
        await machine.WaitAsync("the supervisor", async () => await machine.ControlAsync() is not null);
        await machine.RunAsync("test -e /run/anna || ssh-keygen -q -t ed25519 -N '' -f /run/anna");
        await WriteAsync(machine, "/run/first", Encoding.UTF8.GetString(first));
        var second = await SignAsync($"serial: 2\nusers: [{{ name: admin, sshKeys: [{await machine.RunAsync("cat /run/anna.pub")}] }}]\n");
        await WriteAsync(machine, "/run/second", Encoding.UTF8.GetString(second));
        Assert.Equal("refused", await machine.RunAsync(LogIn)); // another key
        await machine.RunAsync("appliancectl credentials set ssh-authorized-keys /run/second");
        Assert.Equal("admin", await machine.RunAsync(LogIn));
        Assert.Contains("the serial 1, and the one that is used has 2", await machine.RunAsync("appliancectl credentials set ssh-authorized-keys /run/first 2>&1 || true"), StringComparison.Ordinal);
        Assert.Equal("admin", await machine.RunAsync(LogIn));
    }

    private static string SignerKey()
    {
        if (!File.Exists(Signer)) MakeKey(Signer);
        return File.ReadAllText(Signer + ".pub").Trim();
    }

    private static void MakeKey(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var made = Process.Start("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", Path.GetFileName(path), "-f", path]);
        made.WaitForExit();
        Assert.Equal(0, made.ExitCode);
    }

    private async Task<byte[]> SignAsync(string list)
    {
        var file = Path.Combine(_folder.FullName, "list.yaml");
        await File.WriteAllTextAsync(file, list);
        File.Delete(file + ".sig");
        using var signed = Process.Start("ssh-keygen", ["-q", "-Y", "sign", "-f", Signer, "-n", "authorized-keys@appliance", file]);
        await signed.WaitForExitAsync();
        Assert.Equal(0, signed.ExitCode);
        return [.. await File.ReadAllBytesAsync(file), .. await File.ReadAllBytesAsync(file + ".sig")];
    }

    private static Task WriteAsync(RunningMachine machine, string path, string text) => machine.RunAsync($"echo {Convert.ToBase64String(Encoding.UTF8.GetBytes(text))} | base64 -d > {path}");

    private Task<JsonNode> DeviceAsync() => _server.GetAsync($"devices/{_device}");

    private async Task<JsonNode> ActionAsync(long action) => (await _server.GetAsync($"devices/{_device}/actions")).AsArray().Single(row => (long)row!["id"]! == action)!;

    private async Task<long> AssignAsync(string version)
    {
        var release = (await _server.GetAsync("releases")).AsArray().Single(row => (string?)row!["version"] == version)!;
        return (long)await _server.PostAsync($"devices/{_device}/actions", new { release = (long)release["id"]!, forced = true });
    }

    private Task EndsAsync(RunningMachine machine, long action, string state) =>
        machine.WaitAsync($"the server to know that it is {state}", async () => await ActionAsync(action) is var row && !(bool)row["active"]! ? (string?)row["state"] == state ? true : throw new InvalidOperationException(row.ToJsonString()) : false);
}
