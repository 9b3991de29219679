using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Processes;

namespace Supervisor.Tests.Credentials;

/// <summary>Debian's sshd with the image's settings, as far as they are about host keys.</summary>
internal sealed class SshScene : CredentialScene
{
    private const string Unit = "ssh.service", Key = "ssh_host_ed25519_key";
    private readonly List<string> _seen = [];
    private readonly int _port = FreePort();
    private Process? _sshd;

    public SshScene()
    {
        Directory.CreateDirectory("/run/sshd");
        Directory.CreateDirectory(Folder);
        Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", Path.Combine(Folder, Key));
        Units.OnStart = _ => RestartAsync();
        Units.BootAsync(Unit).GetAwaiter().GetResult();
        _seen.Add(PublicKey(Folder));
    }

    /// <summary>Whether sshd's settings have room for a second key.</summary>
    public bool IncludesNext { get; set; } = true;

    public override ICredential Credential => new SshHostKey(Root, Units, _port);

    /// <summary>The key that clients know.</summary>
    public Task<string> ServedAsync() => Task.FromResult(Run("ssh-keyscan", "-t", "ed25519", "-p", $"{_port}", "localhost").Single(line => line.StartsWith("[localhost]", StringComparison.Ordinal)).Split(' ')[2]);

    public string Folder => this["var/lib/appliance/ssh"];

    public string Next => Path.Combine(Folder, "next");

    /// <summary>The newest key that sshd has, whether clients know it already or learn it.</summary>
    public override async Task<int> UsedAsync()
    {
        var served = await ServedAsync();
        Assert.Equal(Run("ssh-keygen", "-y", "-P", "", "-f", Path.Combine(Folder, Key))[0].Split(' ')[1], served);
        var newest = File.Exists(Path.Combine(Next, "host-key.conf")) ? Run("ssh-keygen", "-y", "-P", "", "-f", Path.Combine(Next, Key))[0].Split(' ')[1] : served;
        if (!_seen.Contains(newest)) _seen.Add(newest);
        return _seen.IndexOf(newest);
    }

    public override async Task BootAsync()
    {
        await base.BootAsync();
        await Units.BootAsync(Unit);
    }

    /// <summary>A client that knows the first key connects by it, and learns what else sshd has.</summary>
    public string[] LearnedBy(string knownHosts)
    {
        Run("ssh", "-p", $"{_port}", "-o", $"UserKnownHostsFile={knownHosts}", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=yes", "-o", "BatchMode=yes", "-i", this["client"], "root@localhost", "sleep 1");
        return [.. File.ReadAllLines(knownHosts).Select(line => line.Split(' ')[2])];
    }

    /// <summary>Lets a client log in.</summary>
    public string NewClient()
    {
        Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", this["client"]);
        File.Copy(this["client.pub"], this["authorized"]);
        return Write("known_hosts", $"[localhost]:{_port} ssh-ed25519 {PublicKey(Folder)}\n");
    }

    public override void Dispose()
    {
        _sshd?.Kill();
        _sshd?.Dispose();
        base.Dispose();
    }

    private async Task RestartAsync()
    {
        _sshd?.Kill();
        _sshd?.WaitForExit();
        // As 10-appliance.conf of the image has it.
        var settings = Write("etc/ssh/sshd_config", $"Port {_port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nAuthorizedKeysFile {this["authorized"]}\nHostKey {Path.Combine(Folder, Key)}\n{(IncludesNext ? $"Include {Next}/*.conf\n" : "")}");
        _sshd = Process.Start(new ProcessStartInfo("/usr/sbin/sshd", ["-D", "-q", "-f", settings]))!;
        for (var i = 0; i < 200; i++)
        {
            if (_sshd.HasExited) throw new UserError("sshd does not start");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, _port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(20);
            }
        }
        throw new UserError("sshd does not listen");
    }

    private static string PublicKey(string folder) => File.ReadAllText(Path.Combine(folder, Key + ".pub")).Split(' ')[1].Trim();

    private static IReadOnlyList<string> Run(string program, params string[] arguments)
    {
        var outcome = ProcessRunner.RunAsync(new ProcessCommand(program, arguments), CancellationToken.None).GetAwaiter().GetResult();
        Assert.True(outcome.Succeeded, string.Join('\n', outcome.Tail));
        return outcome.Tail;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
