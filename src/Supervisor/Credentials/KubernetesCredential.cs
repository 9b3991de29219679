using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// What k3s keeps secret: its certificates, the token that nodes join by, and the key that secrets are encrypted with in its datastore.
/// Before it is changed, all that belongs together is copied with k3s stopped (datastore, certificates, keys, token), because an old
/// token or key cannot read what the new one has written; when the node is not ready afterwards, the copy comes back.
/// </summary>
/// <param name="kind">Which of the three.</param>
/// <param name="options">Where k3s is.</param>
/// <param name="units">The units.</param>
/// <param name="isReady">Whether the node takes workloads.</param>
/// <param name="time">Clock.</param>
internal sealed partial class KubernetesCredential(KubernetesSecret kind, KubernetesOptions options, IUnits units, Func<CancellationToken, Task<Readiness>> isReady, TimeProvider time) : ICredential
{
    private const string TokenName = "token", CopyMark = "complete";
    private const int TokenBytes = 24, CurrentFolder = -100; // AT_FDCWD
    private const uint Exchange = 2; // RENAME_EXCHANGE, rename(2)

    /// <summary>k3s makes new leaf certificates when it starts with less than this left of them.</summary>
    private static readonly TimeSpan RenewedBefore = TimeSpan.FromDays(120);
    private static readonly TimeSpan UnitLimit = TimeSpan.FromMinutes(5);

    private string Server => Path.Join(options.Root, "/var/lib/rancher/k3s/server");

    private string TlsFolder => Path.Combine(Server, "tls");

    /// <summary>What k3s is to start with, once its token was changed; on the data partition like all of /etc/rancher.</summary>
    private string TokenSettings => Path.Join(options.Root, "/etc/rancher/k3s/config.yaml.d/90-appliance-token.yaml");

    private string TokenPath => Path.Combine(Server, TokenName);

    /// <inheritdoc/>
    public string Name => kind switch { KubernetesSecret.Certificates => CredentialNames.KubernetesCertificates, KubernetesSecret.Token => CredentialNames.KubernetesToken, _ => CredentialNames.KubernetesEncryptionKey };

    /// <inheritdoc/>
    public TimeSpan Grace => TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        if (!Directory.Exists(TlsFolder)) return null;
        if (kind == KubernetesSecret.Token) return File.Exists(TokenPath) ? new CredentialFacts("Token by which nodes join") { IssuedAt = File.GetLastWriteTimeUtc(TokenPath) } : null;
        var encryption = Path.Combine(Server, "cred", "encryption-config.json");
        if (kind == KubernetesSecret.EncryptionKey) return File.Exists(encryption) ? new CredentialFacts("Key of the secrets in the datastore") { IssuedAt = File.GetLastWriteTimeUtc(encryption) } : null;
        var leaves = Leaves();
        return leaves.Count == 0 ? null : new CredentialFacts("Certificates of Kubernetes")
        {
            IssuedAt = leaves.Max(leaf => leaf.From),
            ExpiresAt = leaves.Min(leaf => leaf.Until),
            Identity = $"{leaves.Count} certificates",
        };
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => kind == KubernetesSecret.Certificates && facts is { ExpiresAt: { } end, IssuedAt: { } start } ? Later(start, end - RenewedBefore) : null;

    /// <inheritdoc/>
    public Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (kind == KubernetesSecret.Token) DurableFile.Write(Path.Combine(work.New, TokenName), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes))));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task ProveAsync(RotationWork work, CancellationToken cancellationToken)
    {
        // A node that is not ready now could not show afterwards that the new ones work.
        if (await isReady(cancellationToken) is { State: not ReadinessState.Ready } node) throw new UserError($"The node is not ready: {node.Message}.", "Mend that first.") { MayPass = true };
    }

    /// <inheritdoc/>
    public async Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(work.Old, CopyMark)))
        {
            await RestoreAsync(work, cancellationToken); // it was interrupted: nobody knows how far it had come
        }
        else
        {
            await units.StopAsync(options.Unit, UnitLimit, cancellationToken);
            work.Say("before the copy is made");
            await CopyAsync(Server, Path.Combine(work.Old, "server"), cancellationToken);
            if (File.Exists(TokenSettings)) DurableFile.Write(Path.Combine(work.Old, TokenName), File.ReadAllBytes(TokenSettings));
            DurableFile.Write(Path.Combine(work.Old, CopyMark), []);
        }
        work.Say("before k3s changes its secrets");
        switch (kind)
        {
            case KubernetesSecret.Certificates:
                await units.StopAsync(options.Unit, UnitLimit, cancellationToken);
                await RunAsync(["certificate", "rotate"], cancellationToken);
                break;
            case KubernetesSecret.Token:
                await units.RestartAsync(options.Unit, UnitLimit, cancellationToken);
                await RequireReadyAsync(cancellationToken);
                var next = Text(Path.Combine(work.New, TokenName));
                await CredentialCommand.RunAsync(options.Program, ["token", "rotate", "--new-token", next], new Dictionary<string, string> { ["K3S_TOKEN"] = Text(TokenPath) }, cancellationToken);
                work.Say("before k3s is to start with the new token");
                Directory.CreateDirectory(Path.GetDirectoryName(TokenSettings)!);
                DurableFile.Write(TokenSettings, Encoding.ASCII.GetBytes($"# Changed by the supervisor (appliancectl credentials).\ntoken: {next}\n"));
                break;
            default:
                await units.RestartAsync(options.Unit, UnitLimit, cancellationToken);
                await RequireReadyAsync(cancellationToken);
                await RunAsync(["secrets-encrypt", "rotate-keys"], cancellationToken);
                await CredentialCommand.RetryAsync(async () =>
                {
                    var status = await RunAsync(["secrets-encrypt", "status"], cancellationToken);
                    if (!status.Any(line => line.Contains("reencrypt_finished", StringComparison.Ordinal))) throw new UserError("k3s has not encrypted all secrets anew.", "k3s secrets-encrypt status says how far it is.");
                }, options.Within, time, cancellationToken);
                break;
        }
        await units.RestartAsync(options.Unit, UnitLimit, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        await RequireReadyAsync(cancellationToken);
        if (kind == KubernetesSecret.Certificates && Directory.Exists(work.Old) && Leaves().Max(leaf => leaf.From) <= Leaves(Path.Combine(work.Old, "server", "tls")).Max(leaf => leaf.From)) throw new UserError("k3s has made no new certificates.");
        if (kind == KubernetesSecret.Token && !Text(TokenPath).EndsWith(Text(Path.Combine(work.New, TokenName)), StringComparison.Ordinal)) throw new UserError("k3s does not have the new token.");
    }

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(work.Old, CopyMark))) await RestoreAsync(work, cancellationToken);
        if (!await units.IsActiveAsync(options.Unit, cancellationToken)) await units.RestartAsync(options.Unit, UnitLimit, cancellationToken);
    }

    /// <summary>Brings the copy back: beside the place first, and then into it in one step.</summary>
    private async Task RestoreAsync(RotationWork work, CancellationToken cancellationToken)
    {
        await units.StopAsync(options.Unit, UnitLimit, cancellationToken);
        var back = Server + ".back";
        work.Say("before the copy is brought back");
        await CopyAsync(Path.Combine(work.Old, "server"), back, cancellationToken);
        var settings = Path.Combine(work.Old, TokenName);
        work.Say("before the copy is in its place");
        if (File.Exists(settings)) DurableFile.Write(TokenSettings, File.ReadAllBytes(settings));
        else DurableFile.Delete(TokenSettings);
        // Not by two renames: without the folder k3s would begin a new cluster.
        if (renameat2(CurrentFolder, back, CurrentFolder, Server, Exchange) != 0) throw new IOException($"{back} and {Server} could not change places: {Marshal.GetLastPInvokeErrorMessage()}");
        DurableFile.SyncFolder(Path.GetDirectoryName(Server)!);
        work.Say("after the copy is in its place");
        Directory.Delete(back, recursive: true);
    }

    private static async Task CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        if (Directory.Exists(to)) Directory.Delete(to, recursive: true);
        await CredentialCommand.RunAsync("cp", ["--archive", "--reflink=auto", from, to], null, cancellationToken);
        await CredentialCommand.RunAsync("sync", ["--file-system", Path.GetDirectoryName(to)!], null, cancellationToken);
    }

    private Task RequireReadyAsync(CancellationToken cancellationToken) => CredentialCommand.RetryAsync(async () =>
    {
        if (await isReady(cancellationToken) is { State: not ReadinessState.Ready } node) throw new UserError($"The node is not ready after {options.Within.TotalMinutes:0} min: {node.Message}.", $"appliancectl logs --unit {options.Unit}");
    }, options.Within, time, cancellationToken);

    private Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken) => CredentialCommand.RunAsync(options.Program, arguments, null, cancellationToken);

    private List<(DateTimeOffset From, DateTimeOffset Until)> Leaves() => Leaves(TlsFolder);

    /// <summary>When the certificates begin and end that are no authorities'.</summary>
    private static List<(DateTimeOffset From, DateTimeOffset Until)> Leaves(string folder)
    {
        var found = new List<(DateTimeOffset, DateTimeOffset)>();
        foreach (var path in Directory.EnumerateFiles(folder, "*.crt", SearchOption.AllDirectories))
        {
            using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(path)); // the first one of a chain is the leaf
            if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: true }) found.Add((certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime()));
        }
        return found;
    }

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static string Text(string path) => File.ReadAllText(path).Trim();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);
}
