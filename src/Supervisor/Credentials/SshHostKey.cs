using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.Core.Credentials;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// The key by which SSH clients know this machine. For a while sshd has both: clients that know the old one learn the new one by it
/// (UpdateHostKeys of ssh_config(5)), and are not alarmed when the old one goes.
/// </summary>
/// <param name="root">Root of the files.</param>
/// <param name="units">The units.</param>
/// <param name="port">Where sshd listens.</param>
internal sealed class SshHostKey(string root, IUnits units, int port = 22) : ICredential
{
    private const string Key = "ssh_host_ed25519_key", Settings = "host-key.conf", Unit = "ssh.service";
    private static readonly TimeSpan UnitLimit = TimeSpan.FromMinutes(1);

    private readonly string _folder = Path.Join(root, "/var/lib/appliance/ssh"), _next = Path.Join(root, "/var/lib/appliance/ssh/next");

    /// <inheritdoc/>
    public string Name => CredentialNames.SshHostKey;

    /// <inheritdoc/>
    public TimeSpan Grace => TimeSpan.FromDays(14);

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        var file = new FileInfo(Path.Combine(_folder, Key + ".pub"));
        if (!file.Exists) return null;
        var next = Path.Combine(_next, Key + ".pub");
        return new CredentialFacts("SSH host key") { IssuedAt = file.LastWriteTimeUtc, Identity = Fingerprint(file.FullName) + (File.Exists(next) ? $", then {Fingerprint(next)}" : "") };
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => null;

    /// <inheritdoc/>
    public Task PrepareAsync(RotationWork work, CancellationToken cancellationToken) =>
        CredentialCommand.RunAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", Path.Combine(work.New, Key)], null, cancellationToken);

    /// <inheritdoc/>
    public async Task ProveAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var told = await CredentialCommand.RunAsync("ssh-keygen", ["-y", "-P", "", "-f", Path.Combine(work.New, Key)], null, cancellationToken);
        if (told is not [var line] || !File.ReadAllText(Path.Combine(work.New, Key + ".pub")).StartsWith(line.Trim(), StringComparison.Ordinal)) throw new UserError("The new key and its public half do not belong together.");
    }

    /// <inheritdoc/>
    public async Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsWindows()) Directory.CreateDirectory(_next, FolderMode.Private);
        Put(work, work.New, _next);
        work.Say("before sshd is to have both");
        DurableFile.Write(Path.Combine(_next, Settings), Encoding.ASCII.GetBytes($"HostKey {Path.Combine(_next, Key)}\n"), DurableFile.Readable);
        await ReloadAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken) => RequireServedAsync(Path.Combine(_folder, Key + ".pub"), cancellationToken);

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(_next)) return;
        RemoveNext(work);
        await ReloadAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task RetireAsync(RotationWork work, CancellationToken cancellationToken)
    {
        // The private half first: sshd goes by it, also where the other half is still the old one.
        Put(work, work.New, _folder);
        await ReloadAsync(cancellationToken);
        await RequireServedAsync(Path.Combine(_folder, Key + ".pub"), cancellationToken);
        if (Directory.Exists(_next)) RemoveNext(work);
        await ReloadAsync(cancellationToken);
    }

    private static void Put(RotationWork work, string from, string to)
    {
        foreach (var (name, mode) in new[] { (Key, UnixFileMode.UserRead | UnixFileMode.UserWrite), (Key + ".pub", DurableFile.Readable) })
        {
            work.Say($"before {name} is written");
            DurableFile.Write(Path.Combine(to, name), File.ReadAllBytes(Path.Combine(from, name)), mode);
        }
    }

    private void RemoveNext(RotationWork work)
    {
        work.Say("before the second key is removed");
        Directory.Delete(_next, recursive: true);
        DurableFile.SyncFolder(_folder);
    }

    private async Task ReloadAsync(CancellationToken cancellationToken)
    {
        if (await units.IsActiveAsync(Unit, cancellationToken)) await units.ReloadAsync(Unit, UnitLimit, cancellationToken);
    }

    /// <summary>Asks sshd, as a client does, for its key.</summary>
    private async Task RequireServedAsync(string publicKey, CancellationToken cancellationToken)
    {
        if (!await units.IsActiveAsync(Unit, cancellationToken)) return; // nobody is there who could be told apart
        await CredentialCommand.RetryAsync(async () =>
        {
            var told = await CredentialCommand.RunAsync("ssh-keyscan", ["-t", "ed25519", "-T", "5", "-p", port.ToString(CultureInfo.InvariantCulture), "localhost"], null, cancellationToken);
            var key = File.ReadAllText(publicKey).Split(' ')[1].Trim();
            if (!told.Any(line => line.EndsWith(key, StringComparison.Ordinal))) throw new UserError("sshd does not show the key that it should.", $"appliancectl logs --unit {Unit}");
        }, TimeSpan.FromSeconds(20), TimeProvider.System, cancellationToken);
    }

    /// <summary>The fingerprint of a public key as ssh-keygen -l shows it.</summary>
    private static string Fingerprint(string path) =>
        File.ReadAllText(path, Encoding.ASCII).Split(' ') is [_, var key, ..] ? $"SHA256:{Convert.ToBase64String(SHA256.HashData(Convert.FromBase64String(key.Trim()))).TrimEnd('=')}" : throw new InvalidDataException($"{path} is no public key");
}
