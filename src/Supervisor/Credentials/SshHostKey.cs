using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Processes;

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
    private const string Key = "ssh_host_ed25519_key", PublicKey = Key + ".pub", Settings = "host-key.conf";

    private readonly string _folder = Path.Join(root, "/var/lib/appliance/ssh"), _next = Path.Join(root, "/var/lib/appliance/ssh/next");
    private readonly SshServer _server = new(root, units);

    /// <inheritdoc/>
    public string Name => CredentialNames.SshHostKey;

    /// <inheritdoc/>
    public TimeSpan Grace => TimeSpan.FromDays(14);

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        var file = new FileInfo(Path.Combine(_folder, PublicKey));
        if (!file.Exists) return null;
        return new CredentialFacts("SSH host key") { IssuedAt = file.LastWriteTimeUtc, Identity = Fingerprint(_folder) + (File.Exists(Path.Combine(_next, PublicKey)) ? $", then {Fingerprint(_next)}" : "") };
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => null;

    /// <inheritdoc/>
    public async Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        await SshServer.RunAsync(new ProcessCommand("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", Path.Combine(work.New, Key)), cancellationToken);
        Put(work, work.New, work.New); // ssh-keygen leaves it to the kernel when they are on the disk
    }

    /// <inheritdoc/>
    public Task ProveAsync(RotationWork work, CancellationToken cancellationToken) => RequirePairAsync(work.New, cancellationToken);

    /// <inheritdoc/>
    public async Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!HasOld(work)) Put(work, _folder, work.Old);
        if (!OperatingSystem.IsWindows()) Directory.CreateDirectory(_next, FolderMode.Private);
        DurableFile.SyncFolder(_folder);
        Put(work, work.New, _next);
        work.Say("before sshd is to have both");
        DurableFile.Write(Path.Combine(_next, Settings), Encoding.ASCII.GetBytes($"HostKey {Path.Combine(_next, Key)}\n"), DurableFile.Readable);
        await _server.ReloadAsync(cancellationToken);
    }

    /// <summary>
    /// sshd serves the old key over the network, and loads the new one with its settings as they are. That the one which runs has it
    /// too, since systemd told it to read them anew, only a client that logs in would see.
    /// </summary>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        await RequireServedAsync(cancellationToken);
        await RequireLoadedAsync(Path.Combine(_next, Key), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!HasOld(work) && !Directory.Exists(_next)) return;
        await BringBackAsync(work, removesNext: true, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task RetireAsync(RotationWork work, CancellationToken cancellationToken)
    {
        // The settings are the first to go: without them the new one is in its place already.
        if (File.Exists(Path.Combine(_next, Settings)))
        {
            await RequireNextAsync(cancellationToken);
            // The private half first: sshd goes by it, also where the other half is still the old one.
            Put(work, _next, _folder);
            try
            {
                await _server.ReloadAsync(cancellationToken);
                await RequireServedAsync(cancellationToken);
            }
            catch (UserError)
            {
                await BringBackAsync(work, removesNext: false, cancellationToken);
                throw;
            }
        }
        RemoveNext(work);
        await _server.ReloadAsync(cancellationToken);
    }

    /// <summary>The key that takes the old one's place is the one that sshd has had beside it. One that is damaged is let go of instead of the old one.</summary>
    private async Task RequireNextAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RequirePairAsync(_next, cancellationToken);
        }
        catch (Exception e) when (e is UserError or IOException or InvalidDataException)
        {
            throw new InvalidDataException($"the new key is damaged ({e.Message.TrimEnd('.')})", e);
        }
    }

    private async Task BringBackAsync(RotationWork work, bool removesNext, CancellationToken cancellationToken)
    {
        if (HasOld(work) && !IsSame(work.Old, _folder)) Put(work, work.Old, _folder);
        if (removesNext) RemoveNext(work);
        await _server.ReloadAsync(cancellationToken);
    }

    /// <summary>Writes both halves, the public one last: where it is, the other one is.</summary>
    private static void Put(RotationWork work, string from, string to)
    {
        foreach (var (name, mode) in new[] { (Key, UnixFileMode.UserRead | UnixFileMode.UserWrite), (PublicKey, DurableFile.Readable) })
        {
            work.Say($"before {name} is written");
            DurableFile.Write(Path.Combine(to, name), File.ReadAllBytes(Path.Combine(from, name)), mode);
        }
    }

    private static bool HasOld(RotationWork work) => File.Exists(Path.Combine(work.Old, PublicKey));

    private static bool IsSame(string one, string other) =>
        new[] { Key, PublicKey }.All(name => DurableFile.Holds(Path.Combine(other, name), File.ReadAllBytes(Path.Combine(one, name))));

    private void RemoveNext(RotationWork work)
    {
        if (!Directory.Exists(_next)) return;
        work.Say("before sshd is to have one key");
        DurableFile.Delete(Path.Combine(_next, Settings));
        work.Say("before the second key is removed");
        Directory.Delete(_next, recursive: true);
        DurableFile.SyncFolder(_folder);
    }

    /// <summary>Asks sshd, as a client does, for its key. It shows one of a kind: the first of its settings.</summary>
    private async Task RequireServedAsync(CancellationToken cancellationToken)
    {
        if (!await _server.IsActiveAsync(cancellationToken)) return; // nobody is there who could be told apart
        var key = ReadPublic(_folder);
        await CredentialCommand.RetryAsync(async () =>
        {
            var told = await SshServer.RunAsync(new ProcessCommand("ssh-keyscan", "-t", "ed25519", "-T", "5", "-p", port.ToString(CultureInfo.InvariantCulture), "localhost"), cancellationToken);
            if (!told.Any(line => line.EndsWith(key, StringComparison.Ordinal))) throw new UserError("sshd does not show the key that it should.", $"appliancectl logs --unit {SshServer.Unit}");
        }, TimeSpan.FromSeconds(20), TimeProvider.System, cancellationToken);
    }

    /// <summary>Has sshd try its settings: it names each key that it has, and complains of each that it cannot use.</summary>
    private async Task RequireLoadedAsync(string key, CancellationToken cancellationToken)
    {
        if (!await _server.IsActiveAsync(cancellationToken)) return;
        var told = await _server.TryAsync(null, cancellationToken);
        var named = $"hostkey {key}";
        if (told.FirstOrDefault(line => line.Contains(key, StringComparison.Ordinal) && line != named) is { } complaint) throw new UserError($"sshd cannot use the new key: {complaint}.");
        if (!told.Contains(named)) throw new UserError($"sshd does not have the new key: {_server.Settings} does not include {_next}/*.conf.");
    }

    private static async Task RequirePairAsync(string folder, CancellationToken cancellationToken)
    {
        var told = await SshServer.RunAsync(new ProcessCommand("ssh-keygen", "-y", "-P", "", "-f", Path.Combine(folder, Key)), cancellationToken);
        if (told is not [var line] || !line.Split(' ').Contains(ReadPublic(folder))) throw new UserError("The key and its public half do not belong together.");
    }

    /// <summary>The public key in base64.</summary>
    /// <exception cref="InvalidDataException">The file has none.</exception>
    private static string ReadPublic(string folder)
    {
        var path = Path.Combine(folder, PublicKey);
        return File.ReadAllText(path, Encoding.ASCII).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [_, var key, ..] && Base64.IsValid(key) ? key : throw new InvalidDataException($"{path} is no public key");
    }

    /// <summary>The fingerprint of a public key as ssh-keygen -l shows it.</summary>
    private static string Fingerprint(string folder) => $"SHA256:{Convert.ToBase64String(SHA256.HashData(Convert.FromBase64String(ReadPublic(folder)))).TrimEnd('=')}";
}
