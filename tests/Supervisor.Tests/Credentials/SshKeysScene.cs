using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Processes;

namespace Supervisor.Tests.Credentials;

/// <summary>Debian's sshd with the image's settings, as far as they are about people's keys, and a client as the judge of who gets in.</summary>
internal sealed class SshKeysScene : CredentialScene
{
    /// <summary>Who logs in: an account that every Debian has, whose shell says no.</summary>
    public const string User = "nobody";

    private const string Unit = "ssh.service";
    private const int Refused = 255; // ssh's own exit code; else it is that of the shell
    private readonly int _port = FreePort();
    private Process? _sshd;
    private int _lists;

    public SshKeysScene()
    {
        Directory.CreateDirectory("/run/sshd");
        File.SetUnixFileMode(Root, FolderMode.Open); // sshd reads keys as the user
        foreach (var key in new[] { "host", "signer", "stranger" }) Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", this[key]);
        Write("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\nadmin:x:1000:1000::/:/bin/sh\n");
        Write($"image/{User}", NewClient(0), DurableFile.Readable);
        Units.OnStart = _ => RestartAsync();
        Units.BootAsync(Unit).GetAwaiter().GetResult();
    }

    /// <summary>Those who may sign.</summary>
    public IReadOnlyList<string> Signers { get => field ?? [File.ReadAllText(this["signer.pub"]).Trim()]; set; }

    /// <summary>Whether sshd's settings have room for a list.</summary>
    public bool IncludesLists { get; set; } = true;

    public override ICredential Credential => new SshAuthorizedKeys(Signers, Root, Units, Time);

    public string Folder => this["var/lib/appliance/ssh-keys"];

    /// <summary>Which of the clients gets in: 0 is that of the image, others those of the lists. Never two, and never none.</summary>
    public override Task<int> UsedAsync() => Task.FromResult(Enumerable.Range(0, _lists + 1).Where(GetsIn).Single());

    /// <summary>Whether a client gets in.</summary>
    public bool GetsIn(int client) => GetsIn(client, User);

    /// <summary>Whether a client gets in as somebody.</summary>
    public bool GetsIn(int client, string user) => Try("ssh", "-p", $"{_port}", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", this[$"client{client}"], $"{user}@localhost", "true") != Refused;

    /// <summary>Without a list, somebody brings the next one, with the next client.</summary>
    public override Task<RotationRecord> RotateAsync(bool isEmergency = false, byte[]? given = null) => base.RotateAsync(isEmergency, given ?? Next());

    /// <summary>The next list, signed.</summary>
    public byte[] Next() => Sign($"serial: {++_lists}\nusers:\n  - name: {User}\n    sshKeys: [{NewClient(_lists)}]\n");

    /// <summary>Signs a text by OpenSSH's own program.</summary>
    public byte[] Sign(string text, string key = "signer", string purpose = AuthorizedKeys.Purpose)
    {
        var file = Write("list.yaml", text);
        File.Delete(file + ".sig");
        Run("ssh-keygen", "-q", "-Y", "sign", "-f", this[key], "-n", purpose, file);
        return [.. File.ReadAllBytes(file), .. File.ReadAllBytes(file + ".sig")];
    }

    /// <summary>A client's public key; the client is made when it is new.</summary>
    public string NewClient(int number)
    {
        if (!File.Exists(this[$"client{number}"])) Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", $"client {number}", "-f", this[$"client{number}"]);
        return File.ReadAllText(this[$"client{number}.pub"]).Trim();
    }

    public override async Task BootAsync()
    {
        await base.BootAsync();
        await Units.BootAsync(Unit);
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
        var settings = Write("etc/ssh/sshd_config", $"Port {_port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nAuthorizedKeysFile {this["image"]}/%u\nHostKey {this["host"]}\n{(IncludesLists ? $"Include {Folder}/*.conf\n" : "")}");
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

    private static int Try(string program, params string[] arguments) => ProcessRunner.RunAsync(new ProcessCommand(program, arguments), CancellationToken.None).GetAwaiter().GetResult().ExitCode;

    private static void Run(string program, params string[] arguments) => Assert.Equal(0, Try(program, arguments));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
