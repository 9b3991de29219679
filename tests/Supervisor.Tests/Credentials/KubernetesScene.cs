using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Workloads;

namespace Supervisor.Tests.Credentials;

/// <summary>
/// A stand-in for k3s, which cannot be had here: it has k3s' files and refuses to start where they do not belong together, as its
/// documentation and sources say (the datastore is encrypted with the token, its secrets with the key; certificates begin when
/// their authority does).
/// </summary>
internal sealed class KubernetesScene : CredentialScene
{
    private const string Unit = "k3s.service", Server = "var/lib/rancher/k3s/server", Agent = "var/lib/rancher/k3s/agent";
    private static readonly string[] Renewed = ["client-admin", "serving-kube-apiserver", "etcd/client"];
    private static readonly DateTimeOffset Founded = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly KubernetesSecret _kind;
    private readonly string _k3s;
    private readonly List<string> _tokens = ["0"];
    private readonly X509Certificate2 _authority = Authority();
    private DateTimeOffset _issued = Founded, _saidAt;
    private int _silences;

    public KubernetesScene(KubernetesSecret kind)
    {
        _kind = kind;
        Write($"{Server}/db/state.db", "passphrase:0 key:key0");
        Write($"{Server}/cred/encryption-config.json", KeyFile("key0"));
        Write($"{Server}/token", "K10abc::server:0");
        Write("count", "0");
        Written = "before";
        Write($"{Server}/tls/client-ca.crt", _authority.ExportCertificatePem());
        // What a version before and Kubernetes itself have left there: k3s neither renews nor removes it.
        Issue($"{Server}/tls/client-cloud-controller", Founded.AddDays(120));
        Issue($"{Server}/tls/kube-scheduler/kube-scheduler", Founded.AddDays(90));
        _k3s = Script("k3s", $$"""
            cd {{this[Server]}}
            case "$1 $2" in
              'certificate rotate') [ ! -e {{this["active"]}} ]; n=$(cat {{this["count"]}}); n=$((n + 1)); echo $n > {{this["count"]}}
                cp -R tls tls-170000000$n; touch tls/dynamic-cert-regenerate
                for name in {{string.Join(' ', Renewed)}}; do [ "$name" = "$(cat {{this["kept"]}} 2>&1)" ] || rm -f tls/$name.crt tls/$name.key; done; rm -f ../agent/client-kubelet.* ;;
              'token rotate') [ -e {{this["active"]}} ]; [ "$K3S_TOKEN" = "$(cat token)" ]; [ "$3" = --new-token ]; sed -i "s/passphrase:[^ ]*/passphrase:$4/" db/state.db ;;
              'secrets-encrypt rotate-keys') [ -e {{this["active"]}} ]; n=$(cat {{this["count"]}}); n=$((n + 1)); echo $n > {{this["count"]}}; sed -i "s/key[0-9][0-9]*/key$n/" cred/encryption-config.json; sed -i "s/key:.*/key:key$n/" db/state.db; [ ! -e {{this["many-secrets"]}} ] ;;
              'secrets-encrypt status') if [ -e {{this["many-secrets"]}} ]; then rm {{this["many-secrets"]}}; echo 'Current Rotation Stage: reencrypt_active'; else echo 'Current Rotation Stage: reencrypt_finished'; fi ;;
              *) exit 9 ;;
            esac
            """);
        Units.Time = Time;
        Units.OnStart = _ => StartAsync();
        Units.OnStop = _ => File.Delete(this["active"]); // for k3s' own program to see
        Units.BootAsync(Unit).GetAwaiter().GetResult();
    }

    /// <summary>A certificate that k3s does not make anew.</summary>
    public string? Kept
    {
        get => File.Exists(this["kept"]) ? File.ReadAllText(this["kept"]) : null;
        init => Write("kept", value ?? "");
    }

    /// <summary>What the node has written into its datastore.</summary>
    public string Written
    {
        get => File.ReadAllText(this[$"{Server}/db/written"]);
        set => Write($"{Server}/db/written", value);
    }

    /// <summary>Whether k3s was interrupted in the change itself, and the copy is to come back.</summary>
    public bool IsChanging => File.Exists(Old("needed")) && !File.Exists(Old("changed")) && !File.Exists(this[$"{Server}/.appliance-back"]) && !File.Exists(this[$"{Server}/tls/.appliance-back"]);

    public bool IsAgent { get; init; }

    public TimeSpan Within { get; set; } = TimeSpan.Zero;

    /// <summary>How often the node is asked before it says anything of itself after a start of k3s; what it said before is there still.</summary>
    public int Silences { get; set; }

    /// <summary>With this in the datastore k3s starts, and its node does not become ready.</summary>
    public string? Unready { get; set; }

    public override ICredential Credential => new KubernetesCredential(_kind, new KubernetesOptions { Root = Root, Program = _k3s, Within = Within, Soon = TimeSpan.Zero, Unit = IsAgent ? "k3s-agent.service" : Unit }, Units, IsReadyAsync, Time);

    /// <summary>Datastore and token are two files: between the two k3s does not start, and the supervisor's start brings the copy back.</summary>
    public override bool WorksAtOnce => _kind != KubernetesSecret.Token;

    public string Datastore => File.ReadAllText(this[$"{Server}/db/state.db"]);

    public override async Task<int> UsedAsync()
    {
        Assert.True(await Units.IsActiveAsync(Unit, CancellationToken.None) && (await IsReadyAsync(null, CancellationToken.None)).State == ReadinessState.Ready, Datastore);
        return _kind switch
        {
            KubernetesSecret.Certificates => (int)(UntilOf("serving-kube-apiserver") - Founded.AddDays(1 + 365)).TotalDays,
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

    private async Task<Readiness> IsReadyAsync(DateTimeOffset? since, CancellationToken cancellationToken)
    {
        if (!await Units.IsActiveAsync(Unit, cancellationToken)) return Readiness.Waiting("k3s does not run");
        if (_silences == 0) _saidAt = Time.Now.AddSeconds(-1); // a while after the start
        else _silences--;
        if (_saidAt < since) return Readiness.Waiting("the node has said nothing since");
        return Unready is { } bad && Datastore.Contains(bad, StringComparison.Ordinal) ? Readiness.Waiting("the node is not ready") : Readiness.Ready("the node is ready");
    }

    /// <summary>As k3s writes it (pkg/secretsencrypt).</summary>
    private static string KeyFile(string key) => $$$"""{"kind":"EncryptionConfiguration","apiVersion":"apiserver.config.k8s.io/v1","resources":[{"resources":["secrets"],"providers":[{"aescbc":{"keys":[{"name":"aescbckey","secret":"{{{key}}}"}]}},{"identity":{}}]}]}""";

    private string Old(string file) => Path.Combine(this["var/rotations"], Credential.Name, "old", file);

    private Task StartAsync()
    {
        File.Delete(this["active"]);
        if (!File.Exists(this[$"{Server}/db/state.db"])) throw new UserError("k3s would begin a new cluster");
        var settings = this["etc/rancher/k3s/config.yaml.d/90-appliance-token.yaml"];
        var token = File.Exists(settings) ? File.ReadAllLines(settings).Single(line => line.StartsWith("token: ", StringComparison.Ordinal))["token: ".Length..].Trim('"') : File.ReadAllText(this[$"{Server}/token"]).Split(':')[^1];
        if (!Datastore.StartsWith($"passphrase:{token} ", StringComparison.Ordinal)) throw new UserError("the datastore is encrypted with another token");
        if (!Datastore.TrimEnd().EndsWith(Datastore.TrimEnd().Split(':')[^1] is var key && File.ReadAllText(this[$"{Server}/cred/encryption-config.json"]) == KeyFile(key) ? key : "another", StringComparison.Ordinal)) throw new UserError("the secrets are encrypted with another key");
        Write($"{Server}/token", $"K10abc::server:{token}");
        string[] missing = [.. Renewed.Where(name => !File.Exists(this[$"{Server}/tls/{name}.crt"]))];
        if (missing.Length > 0) _issued += TimeSpan.FromDays(1);
        foreach (var name in missing) Issue($"{Server}/tls/{name}", _issued.AddDays(365));
        Issue($"{Agent}/client-kubelet", _issued.AddDays(365)); // the node asks for one at every start
        File.Delete(this[$"{Server}/tls/dynamic-cert-regenerate"]);
        Write("active", "");
        Time.Now += TimeSpan.FromSeconds(10); // a start is no moment
        _silences = Silences;
        return Task.CompletedTask;
    }

    private DateTimeOffset UntilOf(string name) => X509CertificateLoader.LoadCertificateFromFile(this[$"{Server}/tls/{name}.crt"]).NotAfter.ToUniversalTime();

    /// <summary>A certificate as k3s makes one: it begins with its authority, which follows it in the file.</summary>
    private void Issue(string path, DateTimeOffset until)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest($"CN={Path.GetFileName(path)}", key, HashAlgorithmName.SHA256).Create(_authority, Founded, until, RandomNumberGenerator.GetBytes(8));
        Write($"{path}.crt", $"{certificate.ExportCertificatePem()}\n{_authority.ExportCertificatePem()}\n");
        File.SetLastWriteTimeUtc(this[$"{path}.crt"], until.AddDays(-365).UtcDateTime);
        Write($"{path}.key", key.ExportECPrivateKeyPem());
    }

    private static X509Certificate2 Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=k3s-client-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        return request.CreateSelfSigned(Founded, Founded.AddYears(10));
    }

    public override void Dispose()
    {
        _authority.Dispose();
        base.Dispose();
    }
}
