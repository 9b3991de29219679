using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Workloads;

namespace Supervisor.Tests.Credentials;

/// <summary>
/// A stand-in for k3s, which cannot be had here: it has k3s' files and refuses to start where they do not belong together, as the
/// documentation says of it (the datastore is encrypted with the token, its secrets with the key).
/// </summary>
internal sealed class KubernetesScene : CredentialScene
{
    private const string Unit = "k3s.service", Server = "var/lib/rancher/k3s/server";
    private readonly KubernetesSecret _kind;
    private readonly string _k3s;
    private readonly List<string> _tokens = ["0"];
    private DateTimeOffset _issued = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public KubernetesScene(KubernetesSecret kind)
    {
        _kind = kind;
        Write($"{Server}/db/state.db", "passphrase:0 key:key0");
        Write($"{Server}/cred/encryption-config.json", "key0");
        Write($"{Server}/token", "K10abc::server:0");
        Write("count", "0");
        Directory.CreateDirectory(this[$"{Server}/tls"]);
        _k3s = Script("k3s", $$"""
            cd {{this[Server]}}
            case "$1 $2" in
              'certificate rotate') [ ! -e {{this["active"]}} ]; rm tls/*.crt ;;
              'token rotate') [ -e {{this["active"]}} ]; [ "$K3S_TOKEN" = "$(cat token)" ]; [ "$3" = --new-token ]; sed -i "s/passphrase:[^ ]*/passphrase:$4/" db/state.db ;;
              'secrets-encrypt rotate-keys') [ -e {{this["active"]}} ]; n=$(cat {{this["count"]}}); n=$((n + 1)); echo $n > {{this["count"]}}; echo "key$n" > cred/encryption-config.json; sed -i "s/key:.*/key:key$n/" db/state.db ;;
              'secrets-encrypt status') echo 'Current Rotation Stage: reencrypt_finished' ;;
              *) exit 9 ;;
            esac
            """);
        Units.OnStart = _ => StartAsync();
        Units.OnStop = _ => File.Delete(this["active"]); // for k3s' own program to see
        Units.BootAsync(Unit).GetAwaiter().GetResult();
    }

    /// <summary>With this in the datastore k3s starts, and its node does not become ready.</summary>
    public string? Unready { get; set; }

    public override ICredential Credential => new KubernetesCredential(_kind, new KubernetesOptions { Root = Root, Program = _k3s, Within = TimeSpan.Zero }, Units, IsReadyAsync, Time);

    /// <summary>Datastore and token are two files: between the two k3s does not start, and the supervisor's start brings the copy back.</summary>
    public override bool WorksAtOnce => _kind != KubernetesSecret.Token;

    public string Datastore => File.ReadAllText(this[$"{Server}/db/state.db"]);

    public override async Task<int> UsedAsync()
    {
        Assert.True(await Units.IsActiveAsync(Unit, CancellationToken.None) && (await IsReadyAsync(CancellationToken.None)).State == ReadinessState.Ready, Datastore);
        return _kind switch
        {
            KubernetesSecret.Certificates => (int)((DateTimeOffset)X509CertificateLoader.LoadCertificateFromFile(this[$"{Server}/tls/serving.crt"]).NotBefore.ToUniversalTime() - new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero)).TotalDays,
            KubernetesSecret.Token => NumberOf(Datastore.Split(' ')[0]["passphrase:".Length..]),
            _ => int.Parse(Datastore.Split(':')[^1]["key".Length..], CultureInfo.InvariantCulture),
        };
    }

    public override async Task BootAsync()
    {
        await base.BootAsync();
        File.Delete(this["active"]);
        await Units.BootAsync(Unit);
    }

    /// <summary>Tokens in the order in which they were seen.</summary>
    private int NumberOf(string token)
    {
        if (!_tokens.Contains(token)) _tokens.Add(token);
        return _tokens.IndexOf(token);
    }

    private async Task<Readiness> IsReadyAsync(CancellationToken cancellationToken) =>
        !await Units.IsActiveAsync(Unit, cancellationToken) ? Readiness.Waiting("k3s does not run") : Unready is { } bad && Datastore.Contains(bad, StringComparison.Ordinal) ? Readiness.Waiting("the node is not ready") : Readiness.Ready("the node is ready");

    private Task StartAsync()
    {
        File.Delete(this["active"]);
        if (!File.Exists(this[$"{Server}/db/state.db"])) throw new UserError("k3s would begin a new cluster");
        var settings = this["etc/rancher/k3s/config.yaml.d/90-appliance-token.yaml"];
        var token = File.Exists(settings) ? File.ReadAllLines(settings).Single(line => line.StartsWith("token: ", StringComparison.Ordinal))["token: ".Length..] : File.ReadAllText(this[$"{Server}/token"]).Split(':')[^1];
        if (!Datastore.StartsWith($"passphrase:{token} ", StringComparison.Ordinal)) throw new UserError("the datastore is encrypted with another token");
        if (!Datastore.TrimEnd().EndsWith($"key:{File.ReadAllText(this[$"{Server}/cred/encryption-config.json"]).Trim()}", StringComparison.Ordinal)) throw new UserError("the secrets are encrypted with another key");
        Write($"{Server}/token", $"K10abc::server:{token}");
        if (!File.Exists(this[$"{Server}/tls/serving.crt"]))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            _issued += TimeSpan.FromDays(1);
            using var certificate = new CertificateRequest("CN=kube-apiserver", key, HashAlgorithmName.SHA256).CreateSelfSigned(_issued, _issued.AddDays(365));
            Write($"{Server}/tls/serving.crt", certificate.ExportCertificatePem());
        }
        Write("active", "");
        return Task.CompletedTask;
    }
}
