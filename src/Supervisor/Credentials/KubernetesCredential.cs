using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// What k3s keeps secret: its certificates, the token that nodes join by, and the key that secrets are encrypted with in its datastore.
/// Before it is changed, all that belongs together is copied with k3s stopped: with token and key the datastore and the certificates,
/// because an old token or key cannot read what the new one has written. When the node is not ready afterwards, the copy comes back.
/// </summary>
/// <param name="kind">Which of the three.</param>
/// <param name="options">Where k3s is.</param>
/// <param name="units">The units.</param>
/// <param name="isReady">Whether the node takes workloads, by what it has said since a moment.</param>
/// <param name="time">Clock.</param>
internal sealed class KubernetesCredential(KubernetesSecret kind, KubernetesOptions options, IUnits units, Func<DateTimeOffset?, CancellationToken, Task<Readiness>> isReady, TimeProvider time) : ICredential
{
    private const string TokenName = "token", BackupsName = "backups", BackupPrefix = "tls-", EncryptionName = "encryption-config.json", BegunMark = "begun", ChangedMark = "changed";
    private const int TokenBytes = 24;

    /// <summary>k3s makes new certificates when it starts with less than this left of them.</summary>
    private static readonly TimeSpan RenewedBefore = TimeSpan.FromDays(120);

    /// <summary>Not sooner after the last rotation: k3s can be told to make such as last less than the 120 days.</summary>
    private static readonly TimeSpan RestAfterRotation = TimeSpan.FromDays(30);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private string Server => Path.Join(options.Root, "/var/lib/rancher/k3s/server");

    private string TlsFolder => Path.Combine(Server, "tls");

    private string AgentFolder => Path.Join(options.Root, "/var/lib/rancher/k3s/agent");

    /// <summary>What k3s is to start with, once its token was changed; on the data partition like all of /etc/rancher.</summary>
    private string TokenSettings => Path.Join(options.Root, "/etc/rancher/k3s/config.yaml.d/90-appliance-token.yaml");

    private string EncryptionPath => Path.Combine(Server, "cred", EncryptionName);

    private string TokenPath => Path.Combine(Server, TokenName);

    /// <inheritdoc/>
    public string Name => kind switch { KubernetesSecret.Certificates => CredentialNames.KubernetesCertificates, KubernetesSecret.Token => CredentialNames.KubernetesToken, _ => CredentialNames.KubernetesEncryptionKey };

    /// <inheritdoc/>
    public bool CanRotate => !options.IsAgent;

    /// <inheritdoc/>
    public TimeSpan Grace => TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public string? Group => KubernetesOptions.Group;

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        if (kind == KubernetesSecret.Certificates) return ReadCertificates();
        if (options.IsAgent || !Directory.Exists(TlsFolder)) return null;
        if (kind == KubernetesSecret.Token) return File.Exists(TokenPath) ? new CredentialFacts("Token by which nodes join") { IssuedAt = File.GetLastWriteTimeUtc(TokenPath) } : null;
        return File.Exists(EncryptionPath) ? new CredentialFacts("Key of the secrets in the datastore") { IssuedAt = File.GetLastWriteTimeUtc(EncryptionPath) } : null;
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => CanRotate && kind == KubernetesSecret.Certificates && facts.ExpiresAt is { } end ? Later(end - RenewedBefore, record.RotatedAt + RestAfterRotation) : null;

    /// <inheritdoc/>
    public Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (options.IsAgent) throw new UserError("This node has no control plane: it asks its server for new certificates whenever its k3s starts.", $"systemctl restart {options.Unit}");
        if (kind == KubernetesSecret.Token) DurableFile.Write(Path.Combine(work.New, TokenName), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes))));
        if (kind == KubernetesSecret.Certificates) DurableFile.Write(Path.Combine(work.New, BackupsName), Encoding.UTF8.GetBytes(string.Join('\n', Backups())));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task ProveAsync(RotationWork work, CancellationToken cancellationToken)
    {
        // The copy is worth nothing where the datastore is elsewhere, or has members that go on meanwhile.
        if (kind != KubernetesSecret.Certificates && (!File.Exists(Path.Combine(Server, "db", "state.db")) || Directory.Exists(Path.Combine(Server, "db", "etcd"))))
            throw new UserError("The datastore is not this node's alone, and could not be brought back.", $"Follow k3s' documentation on all servers of the cluster: k3s {(kind == KubernetesSecret.Token ? "token rotate" : "secrets-encrypt rotate-keys")}");
        CopyOf(work).RequireRoom();
        // A node that is not ready now could not show afterwards that the new ones work.
        var begin = time.GetTimestamp();
        while (await ReadNodeAsync(cancellationToken) is { State: not ReadinessState.Ready } node)
        {
            // k3s that has just started, perhaps because the power came back, has its time.
            var (waited, isStarting) = (time.GetElapsedTime(begin), await units.StartedAtAsync(options.Unit, cancellationToken) + options.Within > time.GetUtcNow());
            if (waited >= (isStarting ? options.Within : options.Soon)) throw new UserError($"The node is not ready: {node.Message}.", "Mend that first.") { MayPass = true };
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var changed = Path.Combine(work.Old, ChangedMark);
        if (!File.Exists(changed))
        {
            await KeepAsync(work, cancellationToken);
            await ChangeAsync(work, cancellationToken);
            work.Say("before it is noted that k3s has changed its secrets");
            DurableFile.Write(changed, []);
        }
        work.Say("before k3s starts with its new secrets");
        await units.RestartAsync(options.Unit, options.Within, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        await RequireReadyAsync(cancellationToken);
        if (kind == KubernetesSecret.Certificates) RequireNewCertificates(work);
        if (kind == KubernetesSecret.Token && !Text(TokenPath).EndsWith(Text(Path.Combine(work.New, TokenName)), StringComparison.Ordinal)) throw new UserError("k3s does not have the new token.");
        if (kind == KubernetesSecret.EncryptionKey && KeysOf(EncryptionPath).Intersect(KeysOf(Path.Combine(CopyOf(work).Folder, "cred", EncryptionName))).Any()) throw new UserError("k3s still has the key of before.", "k3s secrets-encrypt status says why.");
    }

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(work.Old, BegunMark))) return; // k3s was left alone, and is as somebody else has it
        var copy = CopyOf(work);
        if (copy.IsNeeded) await RestoreAsync(work, copy, cancellationToken);
        if (!await units.IsActiveAsync(options.Unit, cancellationToken)) await units.RestartAsync(options.Unit, options.Within, cancellationToken);
        RemoveBackups(work);
    }

    /// <inheritdoc/>
    public Task RetireAsync(RotationWork work, CancellationToken cancellationToken)
    {
        RemoveBackups(work);
        return Task.CompletedTask;
    }

    /// <summary>Copies what will be changed.</summary>
    private async Task KeepAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var copy = CopyOf(work);
        if (copy.IsNeeded) await RestoreAsync(work, copy, cancellationToken); // it was interrupted: nobody knows how far it had come
        DurableFile.Write(Path.Combine(work.Old, BegunMark), []);
        await units.StopAsync(options.Unit, options.Within, cancellationToken);
        // Anew where there is one: k3s has perhaps run since.
        await copy.TakeAsync(cancellationToken);
        if (kind == KubernetesSecret.Token && File.Exists(TokenSettings)) DurableFile.Write(Path.Combine(work.Old, TokenName), File.ReadAllBytes(TokenSettings));
        if (kind != KubernetesSecret.Certificates)
        {
            await units.RestartAsync(options.Unit, options.Within, cancellationToken);
            await RequireReadyAsync(cancellationToken);
        }
        work.Say("before the copy is needed");
        copy.Need();
    }

    private async Task ChangeAsync(RotationWork work, CancellationToken cancellationToken)
    {
        work.Say("before k3s changes its secrets");
        switch (kind)
        {
            case KubernetesSecret.Certificates:
                await RunAsync(["certificate", "rotate"], cancellationToken);
                break;
            case KubernetesSecret.Token:
                var next = Text(Path.Combine(work.New, TokenName));
                await CredentialCommand.RunAsync(options.Program, ["token", "rotate", "--new-token", next], new Dictionary<string, string> { ["K3S_TOKEN"] = Text(TokenPath) }, cancellationToken);
                work.Say("before k3s is to start with the new token");
                Directory.CreateDirectory(Path.GetDirectoryName(TokenSettings)!);
                DurableFile.Write(TokenSettings, Encoding.ASCII.GetBytes($"# Changed by the supervisor (appliancectl credentials).\ntoken: \"{next}\"\n"));
                break;
            default:
                await ChangeKeyAsync(cancellationToken);
                break;
        }
    }

    /// <summary>What is changed: with the certificates nothing of the datastore, which goes on meanwhile.</summary>
    private KubernetesCopy CopyOf(RotationWork work) => new(kind == KubernetesSecret.Certificates ? TlsFolder : Server, work);

    private async Task ChangeKeyAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(["secrets-encrypt", "rotate-keys"], cancellationToken);
        }
        catch (UserError) when (!cancellationToken.IsCancellationRequested)
        {
            // It waits for a minute or so, and k3s goes on: with many secrets that takes longer.
            if (!await IsAtStageAsync("reencrypt_active", cancellationToken) && !await IsAtStageAsync("reencrypt_request", cancellationToken)) throw;
        }
        await CredentialCommand.RetryAsync(async () =>
        {
            if (!await IsAtStageAsync("reencrypt_finished", cancellationToken)) throw new UserError("k3s has not encrypted all secrets anew.", "k3s secrets-encrypt status says how far it is.");
        }, options.Within, time, cancellationToken);
    }

    private async Task<bool> IsAtStageAsync(string stage, CancellationToken cancellationToken) => (await RunAsync(["secrets-encrypt", "status"], cancellationToken)).Any(line => line.Contains(stage, StringComparison.Ordinal));

    private async Task RestoreAsync(RotationWork work, KubernetesCopy copy, CancellationToken cancellationToken)
    {
        if (!copy.IsBack)
        {
            await copy.ApproachAsync(cancellationToken);
            await units.StopAsync(options.Unit, options.Within, cancellationToken);
            if (kind == KubernetesSecret.Token)
            {
                var settings = Path.Combine(work.Old, TokenName);
                work.Say("before the token's settings are brought back");
                if (File.Exists(settings)) DurableFile.Write(TokenSettings, File.ReadAllBytes(settings));
                else DurableFile.Delete(TokenSettings);
            }
            copy.BringBack();
        }
        copy.Forget();
    }

    private CredentialFacts? ReadCertificates()
    {
        List<KubernetesCertificate> all = [.. KubernetesCertificates.ReadNode(AgentFolder).Values];
        if (!options.IsAgent) all.AddRange(KubernetesCertificates.ReadServer(TlsFolder).Values);
        return all.MinBy(certificate => certificate.Until) is not { } first ? null : new CredentialFacts("Certificates of Kubernetes")
        {
            IssuedAt = first.WrittenAt,
            ExpiresAt = first.Until,
            Identity = $"{all.Count} certificates",
        };
    }

    private void RequireNewCertificates(RotationWork work)
    {
        var (before, now) = (KubernetesCertificates.ReadServer(CopyOf(work).Folder), KubernetesCertificates.ReadServer(TlsFolder));
        // One that is not made again is used no longer.
        var same = now.Where(certificate => before.TryGetValue(certificate.Key, out var old) && old.Thumbprint == certificate.Value.Thumbprint).Select(certificate => certificate.Key).ToList();
        if (same.Count > 0 || now.Count == 0) throw new UserError($"k3s has made no new certificates: {(same.Count > 0 ? string.Join(", ", same) : "there are none")}.");
    }

    /// <summary>The folders in which <c>k3s certificate rotate</c> keeps what it replaces, keys and all.</summary>
    private IEnumerable<string> Backups() => Directory.EnumerateDirectories(Server, BackupPrefix + "*").Select(folder => Path.GetFileName(folder)!).Where(name => name[BackupPrefix.Length..].All(char.IsAsciiDigit));

    /// <summary>Removes those that were not there before.</summary>
    private void RemoveBackups(RotationWork work)
    {
        var known = Path.Combine(work.New, BackupsName);
        if (!File.Exists(known)) return;
        foreach (var name in Backups().Except(File.ReadAllLines(known)).ToList())
        {
            work.Say($"before {name} is removed");
            Directory.Delete(Path.Combine(Server, name), recursive: true);
            DurableFile.SyncFolder(Server);
        }
    }

    private async Task<Readiness> ReadNodeAsync(CancellationToken cancellationToken) => await isReady(await units.StartedAtAsync(options.Unit, cancellationToken), cancellationToken);

    private Task RequireReadyAsync(CancellationToken cancellationToken) => CredentialCommand.RetryAsync(async () =>
    {
        if (await ReadNodeAsync(cancellationToken) is { State: not ReadinessState.Ready } node) throw new UserError($"The node is not ready after {options.Within.TotalMinutes:0} min: {node.Message}.", $"appliancectl logs --unit {options.Unit}");
    }, options.Within, time, cancellationToken);

    private Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken) => CredentialCommand.RunAsync(options.Program, arguments, null, cancellationToken);

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset? other) => other > one ? other.Value : one;

    /// <summary>The keys of a configuration of the API server's encryption, of whichever kind.</summary>
    private static List<string> KeysOf(string path)
    {
        List<string> found = [];
        try
        {
            using var settings = JsonDocument.Parse(File.ReadAllBytes(path));
            Find(settings.RootElement);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is no JSON", e);
        }
        return found;

        void Find(JsonElement element)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in element.EnumerateArray()) Find(item);
            }
            if (element.ValueKind != JsonValueKind.Object) return;
            foreach (var member in element.EnumerateObject())
            {
                if (member.NameEquals("secret") && member.Value is { ValueKind: JsonValueKind.String } value && value.GetString() is { } key) found.Add(key);
                else Find(member.Value);
            }
        }
    }

    private static string Text(string path) => File.ReadAllText(path).Trim();
}
