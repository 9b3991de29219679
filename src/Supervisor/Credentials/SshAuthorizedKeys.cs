using System.Globalization;
using System.Text;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Processes;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// The keys by which people log in over SSH, as a list that somebody signed whom the image trusts: it stands above the image's own
/// keys. A list is a folder that only the settings of sshd lead to, so that it counts as a whole or not at all.
/// </summary>
/// <param name="signers">Public keys of those who may sign.</param>
/// <param name="root">Root of the files.</param>
/// <param name="units">The units.</param>
/// <param name="time">Clock.</param>
internal sealed class SshAuthorizedKeys(IReadOnlyList<string> signers, string root, IUnits units, TimeProvider time) : ICredential
{
    private const string SettingsName = "users.conf", ListName = "list.yaml", SignatureName = "list.yaml.sig", NoneName = "none", Title = "SSH keys of people";
    private const string Signer = "signer", SerialComment = "# serial ";
    private const int LargestAnswer = 4096; // of ssh-keygen, to whether a signature is good

    private readonly string _folder = Path.Join(root, "/var/lib/appliance/ssh-keys");
    private readonly SshServer _server = new(root, units);

    /// <inheritdoc/>
    public string Name => CredentialNames.SshAuthorizedKeys;

    /// <summary>Somebody who is on the list no more is not to get in.</summary>
    public TimeSpan Grace => TimeSpan.Zero;

    /// <inheritdoc/>
    public bool CanRotate => false;

    /// <inheritdoc/>
    public bool CanSet => true;

    /// <inheritdoc/>
    public bool IsSigned => true;

    private string Settings => Path.Combine(_folder, SettingsName);

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        if (!File.Exists(Settings)) return signers.Count == 0 ? null : new CredentialFacts(Title) { Identity = "those of the image" };
        // One that is damaged is no reason never to bring another.
        return InForce() is (var list, _) ? new CredentialFacts(Title) { IssuedAt = File.GetLastWriteTimeUtc(Settings), ExpiresAt = list.Until, Identity = $"serial {list.Serial}: {string.Join(", ", list.Users.Select(user => $"{user.Name} {user.SshKeys.Count}"))}" }
            : new CredentialFacts(Title) { Identity = "a list that cannot be read" };
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => null;

    /// <inheritdoc/>
    public async Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!File.Exists(work.Given)) throw new UserError("The device cannot make a list of keys.", $"Bring one: appliancectl credentials set {Name} FILE");
        var (text, signature) = AuthorizedKeys.Split(File.ReadAllBytes(work.Given));
        await RequireSignedAsync(work, text, signature, cancellationToken);
        var list = AuthorizedKeys.Parse(text);
        if (list.Until is { } until && until <= time.GetUtcNow()) throw new UserError($"The list was to be taken until {until:yyyy-MM-dd HH:mm} UTC.", "Sign a newer one.");
        if (InForce() is (var before, var known) && (list.Serial < before.Serial || (list.Serial == before.Serial && !text.AsSpan().SequenceEqual(known)))) throw new UserError($"The list has the serial {list.Serial}, and the one that is used has {before.Serial} already.", "Give what is new a higher one, and sign it.");
        if (list.Users.FirstOrDefault(user => Accounts.Find(root, user.Name) is null) is { } unknown) throw new UserError($"The list has keys of {unknown.Name}, and this image has no such user.", "Users come with the image (users); the list changes their keys.");
        DurableFile.Write(Path.Combine(work.New, ListName), text, DurableFile.Readable);
    }

    /// <summary>ssh-keygen reads every key of it, as sshd does.</summary>
    public async Task ProveAsync(RotationWork work, CancellationToken cancellationToken)
    {
        foreach (var user in NewList(work).Users.Where(user => user.SshKeys.Count > 0))
        {
            var file = Path.Combine(work.New, "keys");
            DurableFile.Write(file, KeysOf(user));
            var told = await SshServer.ListAsync(file, cancellationToken);
            if (told.Count != user.SshKeys.Count) throw new UserError($"OpenSSH can read {told.Count} of the {user.SshKeys.Count} keys of {user.Name}.");
        }
    }

    /// <inheritdoc/>
    public async Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var (list, old, none) = (NewList(work), Path.Combine(work.Old, SettingsName), Path.Combine(work.Old, NoneName));
        if (!File.Exists(old) && !File.Exists(none))
        {
            work.Say("before the old settings are kept");
            if (File.Exists(Settings)) DurableFile.Write(old, File.ReadAllBytes(Settings));
            else DurableFile.Write(none, []);
        }
        var folder = FolderOf(list.Serial);
        // sshd reads keys as the user that they are of.
        DurableFile.CreateFolder(folder, FolderMode.Open);
        work.Say("before the list is written");
        DurableFile.Write(Path.Combine(folder, ListName), File.ReadAllBytes(Path.Combine(work.New, ListName)), DurableFile.Readable);
        var users = Path.Combine(folder, "users");
        DurableFile.CreateFolder(users, FolderMode.Open);
        foreach (var user in list.Users)
        {
            work.Say($"before the keys of {user.Name} are written");
            DurableFile.Write(Path.Combine(users, user.Name), KeysOf(user), DurableFile.Readable);
        }
        work.Say("before the list counts");
        DurableFile.RemoveLeftovers(Settings);
        DurableFile.Write(Settings, SettingsOf(list), DurableFile.Readable);
        await _server.ReloadAsync(cancellationToken);
    }

    /// <summary>sshd, with its settings as they are, looks for the keys of each of them where they are.</summary>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var list = NewList(work);
        if (!DurableFile.Holds(Settings, SettingsOf(list))) throw new UserError($"{Settings} was written by somebody else meanwhile.");
        if (!await _server.IsActiveAsync(cancellationToken)) return;
        foreach (var user in list.Users)
        {
            var told = await _server.TryAsync(user.Name, cancellationToken);
            if (!told.Contains($"authorizedkeysfile {PatternOf(list.Serial)}")) throw new UserError($"sshd does not look for the keys of {user.Name} in the list: {_server.Settings} does not include {_folder}/*.conf, or has another word before it.");
        }
    }

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var (old, none) = (Path.Combine(work.Old, SettingsName), Path.Combine(work.Old, NoneName));
        if (!File.Exists(old) && !File.Exists(none)) return; // it was not touched
        work.Say("before the old list counts again");
        if (!File.Exists(old)) DurableFile.Delete(Settings);
        else if (File.ReadAllBytes(old) is var content && !DurableFile.Holds(Settings, content)) DurableFile.Write(Settings, content, DurableFile.Readable);
        RemoveOthers(work);
        await _server.ReloadAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public Task RetireAsync(RotationWork work, CancellationToken cancellationToken)
    {
        RemoveOthers(work);
        return Task.CompletedTask;
    }

    private async Task RequireSignedAsync(RotationWork work, byte[] text, byte[] signature, CancellationToken cancellationToken)
    {
        if (signers.Count == 0) throw new UserError("The image trusts nobody to sign lists of keys.", "credentials.sshSigners of its definition names who may.");
        var (allowed, signed) = (Path.Combine(work.New, "signers"), Path.Combine(work.New, SignatureName));
        DurableFile.Write(allowed, Encoding.UTF8.GetBytes(string.Concat(signers.Select(key => $"{Signer} namespaces=\"{AuthorizedKeys.Purpose}\" {key}\n"))));
        DurableFile.Write(signed, signature);
        var (outcome, _) = await ProcessRunner.FilterAsync(new ProcessCommand("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", Signer, "-n", AuthorizedKeys.Purpose, "-s", signed), text, LargestAnswer, cancellationToken);
        if (!outcome.Succeeded) throw new UserError($"The list is not signed by one whom the image trusts{(outcome.Tail is [.., var last] ? $" ({PlainText.Clean(last.TrimEnd('.'))})" : "")}.", $"One of credentials.sshSigners signs it as it is: ssh-keygen -Y sign -f KEY -n {AuthorizedKeys.Purpose} keys.yaml");
    }

    private static AuthorizedKeys NewList(RotationWork work) => AuthorizedKeys.Parse(File.ReadAllBytes(Path.Combine(work.New, ListName)));

    /// <summary>The list that is used and its text; null for none, or one that cannot be read.</summary>
    private (AuthorizedKeys List, byte[] Text)? InForce()
    {
        try
        {
            if (SerialInForce() is not { } serial) return null;
            var text = File.ReadAllBytes(Path.Combine(FolderOf(serial), ListName));
            return (AuthorizedKeys.Parse(text), text);
        }
        catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private int? SerialInForce() =>
        File.Exists(Settings) && File.ReadLines(Settings).FirstOrDefault() is { } first && first.StartsWith(SerialComment, StringComparison.Ordinal) && int.TryParse(first[SerialComment.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var serial) ? serial : null;

    /// <summary>Somebody who is named may use these keys alone; a user without any cannot log in.</summary>
    private byte[] SettingsOf(AuthorizedKeys list) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{SerialComment}{list.Serial}\n")
        + (list.Users.Count == 0 ? "" : $"Match User {string.Join(',', list.Users.Select(user => user.Name))}\n    AuthorizedKeysFile {PatternOf(list.Serial)}\n"));

    private string PatternOf(int serial) => Path.Combine(FolderOf(serial), "users", "%u");

    private string FolderOf(int serial) => Path.Combine(_folder, serial.ToString(CultureInfo.InvariantCulture));

    private static byte[] KeysOf(AuthorizedUser user) => Encoding.UTF8.GetBytes(user.ToFile());

    private void RemoveOthers(RotationWork work)
    {
        var kept = SerialInForce() is { } serial ? FolderOf(serial) : null;
        if (!Directory.Exists(_folder) || (kept is null && File.Exists(Settings))) return; // it is not known which one counts
        foreach (var other in Directory.EnumerateDirectories(_folder).Where(folder => folder != kept).ToList())
        {
            work.Say("before a list is removed that does not count");
            Directory.Delete(other, recursive: true);
            DurableFile.SyncFolder(_folder);
        }
    }
}
