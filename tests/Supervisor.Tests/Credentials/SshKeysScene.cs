using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>Debian's sshd with the image's settings, as far as they are about people's keys, and a client as the judge of who gets in.</summary>
internal sealed class SshKeysScene : CredentialScene
{
    /// <summary>Who logs in: an account that every Debian has, whose shell says no.</summary>
    public const string User = "nobody";

    private const string Unit = "ssh.service";
    private const int Refused = 255; // ssh's own exit code; else it is that of the shell
    private readonly Sshd _sshd = new();
    private int _lists;

    public SshKeysScene()
    {
        File.SetUnixFileMode(Root, FolderMode.Open); // sshd reads keys as the user
        foreach (var key in new[] { "host", "signer", "stranger" }) Sshd.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", this[key]);
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
    public bool GetsIn(int client, string user) => Sshd.Try("ssh", "-p", $"{_sshd.Port}", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", this[$"client{client}"], $"{user}@localhost", "true").ExitCode != Refused;

    /// <summary>Without a list, somebody brings the next one, with the next client.</summary>
    public override Task<RotationRecord> RotateAsync(bool isEmergency = false, byte[]? given = null) => base.RotateAsync(isEmergency, given ?? Next());

    /// <summary>The next list, signed.</summary>
    public byte[] Next() => Sign($"serial: {++_lists}\nusers:\n  - name: {User}\n    sshKeys: [{NewClient(_lists)}]\n");

    /// <summary>Signs a text by OpenSSH's own program.</summary>
    public byte[] Sign(string text, string key = "signer", string purpose = AuthorizedKeys.Purpose)
    {
        var file = Write("list.yaml", text);
        File.Delete(file + ".sig");
        Sshd.Run("ssh-keygen", "-q", "-Y", "sign", "-f", this[key], "-n", purpose, file);
        return [.. File.ReadAllBytes(file), .. File.ReadAllBytes(file + ".sig")];
    }

    /// <summary>A client's public key; the client is made when it is new.</summary>
    public string NewClient(int number)
    {
        if (!File.Exists(this[$"client{number}"])) Sshd.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", $"client {number}", "-f", this[$"client{number}"]);
        return File.ReadAllText(this[$"client{number}.pub"]).Trim();
    }

    public override async Task BootAsync()
    {
        await base.BootAsync();
        await Units.BootAsync(Unit);
    }

    public override void Dispose()
    {
        _sshd.Dispose();
        base.Dispose();
    }

    /// <summary>As 10-appliance.conf of the image has it.</summary>
    private Task RestartAsync() => _sshd.RestartAsync(Write("etc/ssh/sshd_config", $"{_sshd.Settings}AuthorizedKeysFile {this["image"]}/%u\nHostKey {this["host"]}\n{(IncludesLists ? $"Include {Folder}/*.conf\n" : "")}"));
}
