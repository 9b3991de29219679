using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>Debian's sshd with the image's settings, as far as they are about host keys.</summary>
internal sealed class SshScene : CredentialScene
{
    private const string Unit = "ssh.service", Key = "ssh_host_ed25519_key";
    private readonly List<string> _seen = [];
    private readonly Sshd _sshd = new();

    public SshScene()
    {
        Directory.CreateDirectory(Folder);
        Sshd.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", Path.Combine(Folder, Key));
        Units.OnStart = _ => RestartAsync();
        Units.BootAsync(Unit).GetAwaiter().GetResult();
        _seen.Add(PublicKey(Folder));
    }

    /// <summary>Whether sshd's settings have room for a second key.</summary>
    public bool IncludesNext { get; set; } = true;

    public override ICredential Credential => new SshHostKey(Root, Units, _sshd.Port);

    /// <summary>The key that clients know.</summary>
    public Task<string> ServedAsync() => Task.FromResult(Sshd.Run("ssh-keyscan", "-t", "ed25519", "-p", $"{_sshd.Port}", "localhost").Single(line => line.StartsWith("[localhost]", StringComparison.Ordinal)).Split(' ')[2]);

    public string Folder => this["var/lib/appliance/ssh"];

    public string Next => Path.Combine(Folder, "next");

    /// <summary>The newest key that sshd has, whether clients know it already or learn it.</summary>
    public override async Task<int> UsedAsync()
    {
        var served = await ServedAsync();
        Assert.Equal(Sshd.Run("ssh-keygen", "-y", "-P", "", "-f", Path.Combine(Folder, Key))[0].Split(' ')[1], served);
        var newest = File.Exists(Path.Combine(Next, "host-key.conf")) ? Sshd.Run("ssh-keygen", "-y", "-P", "", "-f", Path.Combine(Next, Key))[0].Split(' ')[1] : served;
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
        Sshd.Run("ssh", "-p", $"{_sshd.Port}", "-o", $"UserKnownHostsFile={knownHosts}", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=yes", "-o", "BatchMode=yes", "-i", this["client"], "root@localhost", "sleep 1");
        return [.. File.ReadAllLines(knownHosts).Select(line => line.Split(' ')[2])];
    }

    /// <summary>Lets a client log in.</summary>
    public string NewClient()
    {
        Sshd.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", this["client"]);
        File.Copy(this["client.pub"], this["authorized"]);
        return Write("known_hosts", $"[localhost]:{_sshd.Port} ssh-ed25519 {PublicKey(Folder)}\n");
    }

    public override void Dispose()
    {
        _sshd.Dispose();
        base.Dispose();
    }

    /// <summary>As 10-appliance.conf of the image has it.</summary>
    private Task RestartAsync() => _sshd.RestartAsync(Write("etc/ssh/sshd_config", $"{_sshd.Settings}PermitRootLogin yes\nAuthorizedKeysFile {this["authorized"]}\nHostKey {Path.Combine(Folder, Key)}\n{(IncludesNext ? $"Include {Next}/*.conf\n" : "")}"));

    private static string PublicKey(string folder) => File.ReadAllText(Path.Combine(folder, Key + ".pub")).Split(' ')[1].Trim();
}
