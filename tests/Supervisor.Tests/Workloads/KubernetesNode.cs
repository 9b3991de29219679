using System.Diagnostics;
using System.Security.Cryptography;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Run;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;
using ImageBuilder.Tests.Workloads;

namespace Supervisor.Tests.Workloads;

/// <summary>
/// A real Kubernetes node on this machine: etcd, the API server, its controllers, the scheduler, containerd and a kubelet, built by
/// tests/Kubernetes/build.sh. There is no pod network; pods use the host's. One for all tests; made when the first one asks.
/// </summary>
public sealed class KubernetesNode : IAsyncDisposable
{
    /// <summary>The node's name.</summary>
    public const string Name = "node";

    /// <summary>An image with busybox and nothing else.</summary>
    internal const string Image = "localhost/busybox:1-test";

    private const string Token = "a-token-of-this-test";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kubernetes");
    private readonly List<(string Name, Process Process)> _programs = [];
    private readonly int[] _ports = FreePorts(7);
    private Process _apiServer = null!;
    private Task? _ready;

    /// <summary>How a client reaches it.</summary>
    internal KubeConfig Config { get; private set; } = null!;

    /// <summary>A client.</summary>
    internal KubernetesApi Api { get; private set; } = null!;

    private string this[string name] => Path.Combine(_folder.FullName, name);

    private static string Programs => Path.Combine(Repository.Folder, "out", "kubernetes");

    /// <summary>The node's image store.</summary>
    internal ContainerdImages Images => new("ctr", "--address", this["containerd.sock"]);

    /// <summary>Makes it, for the first test that runs: a fixture is there for those that do not run, too.</summary>
    internal Task ReadyAsync() => _ready ??= MakeAsync();

    private async Task MakeAsync()
    {
        if (!File.Exists(Path.Combine(Programs, "kubelet"))) throw new InvalidOperationException("there is no Kubernetes: run tests/Kubernetes/build.sh");
        using (var key = RSA.Create(2048)) await File.WriteAllTextAsync(this["sa.key"], key.ExportPkcs8PrivateKeyPem());
        await File.WriteAllTextAsync(this["tokens.csv"], $"{Token},admin,admin,system:masters\n");
        var etcd = $"http://127.0.0.1:{_ports[0]}";
        Start("etcd", "/usr/bin/etcd", "--data-dir", this["etcd"], "--listen-client-urls", etcd, "--advertise-client-urls", etcd, "--listen-peer-urls", $"http://127.0.0.1:{_ports[1]}", "--unsafe-no-fsync");
        _apiServer = StartApiServer();
        var kubeconfig = this["kubeconfig"];
        await File.WriteAllTextAsync(kubeconfig, $$$"""
            apiVersion: v1
            kind: Config
            current-context: test
            contexts: [{name: test, context: {cluster: here, user: admin}}]
            clusters: [{name: here, cluster: {server: 'https://127.0.0.1:{{{_ports[2]}}}', certificate-authority: {{{this["api/apiserver.crt"]}}}}}]
            users: [{name: admin, user: {token: {{{Token}}}}}]
            """);
        await UntilAsync("the API server's certificate", () => Task.FromResult(File.Exists(this["api/apiserver.crt"])));
        Config = KubeConfig.Read(kubeconfig);
        Api = new KubernetesApi(Config, TimeProvider.System);
        await Api.RequireReadyAsync(CancellationToken.None);
        Start("controllers", Path.Combine(Programs, "kube-controller-manager"), "--kubeconfig", kubeconfig, $"--service-account-private-key-file={this["sa.key"]}", "--leader-elect=false", "--port=0", $"--secure-port={_ports[3]}", $"--cert-dir={this["controllers"]}", "--controllers=*,-nodeipam,-route,-service");
        Start("scheduler", Path.Combine(Programs, "kube-scheduler"), "--kubeconfig", kubeconfig, "--leader-elect=false", "--port=0", $"--secure-port={_ports[4]}", $"--cert-dir={this["scheduler"]}");
        await StartContainerdAsync();
        StartKubelet(kubeconfig);
        await UntilAsync("a ready node", async () => await Api.FindAsync(new ObjectIdentity("v1", "Node", null, Name), CancellationToken.None) is { } node && ObjectReadiness.Of(node, TimeProvider.System.GetUtcNow()).State == ReadinessState.Ready);
    }

    /// <summary>Ends the API server and starts it again.</summary>
    public async Task RestartApiServerAsync()
    {
        _apiServer.Kill();
        await _apiServer.WaitForExitAsync();
        _apiServer = StartApiServer();
    }

    /// <summary>Runs kubectl, as a person beside us does.</summary>
    public string Kubectl(params string[] arguments) => SomeImage.Run("kubectl", ["--kubeconfig", this["kubeconfig"], .. arguments]);

    /// <summary>Runs containerd's client.</summary>
    public string Ctr(params string[] arguments) => SomeImage.Run("ctr", ["--address", this["containerd.sock"], "--namespace", "k8s.io", .. arguments]);

    /// <summary>Writes a file for kubectl, and gives its path.</summary>
    public string Write(string name, string content)
    {
        File.WriteAllText(this[name], content);
        return this[name];
    }

    /// <summary>Says of a cluster's object how it is, as its controller does; this kubectl cannot.</summary>
    public void PatchStatus(string path, string patch) =>
        SomeImage.Run("curl", "--silent", "--show-error", "--fail", "--cacert", this["api/apiserver.crt"], "--header", $"Authorization: Bearer {Token}", "--header", "Content-Type: application/strategic-merge-patch+json", "--request", "PATCH", "--data", patch, $"https://127.0.0.1:{_ports[2]}/api/v1/{path}/status");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Api?.Dispose();
        foreach (var (_, process) in Enumerable.Reverse(_programs))
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
        // The containers' own processes outlive containerd, as they should elsewhere; so do what they have mounted.
        Quietly("pkill", "-KILL", "-f", $"containerd-shim.*{this["containerd.sock"]}");
        var mounts = File.ReadLines("/proc/self/mounts").Select(line => line.Split(' ')[1]).Where(path => path.StartsWith(_folder.FullName, StringComparison.Ordinal)).Reverse().ToList();
        foreach (var mount in mounts) Quietly("umount", "--lazy", mount);
        Quietly("rm", "-rf", "--one-file-system", _folder.FullName);
    }

    private Process StartApiServer() => Start("api", Path.Combine(Programs, "kube-apiserver"),
        $"--etcd-servers=http://127.0.0.1:{_ports[0]}", $"--secure-port={_ports[2]}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--insecure-port=0", $"--cert-dir={this["api"]}",
        $"--service-account-key-file={this["sa.key"]}", $"--service-account-signing-key-file={this["sa.key"]}", "--service-account-issuer=https://k", $"--token-auth-file={this["tokens.csv"]}",
        "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--kubelet-preferred-address-types=InternalIP");

    private async Task StartContainerdAsync()
    {
        // Never used, for pods have the host's network; but without one the node is not ready.
        Directory.CreateDirectory(this["cni"]);
        await File.WriteAllTextAsync(this["cni/10-none.conflist"], """{"cniVersion":"0.4.0","name":"none","plugins":[{"type":"loopback"}]}""");
        // restrict_oom_score_adj: no CAP_SYS_RESOURCE where tests run.
        await File.WriteAllTextAsync(this["containerd.toml"], $"""
            version = 2
            root = "{this["containerd"]}"
            state = "{this["state"]}"
            [grpc]
            address = "{this["containerd.sock"]}"
            [plugins."io.containerd.grpc.v1.cri"]
            sandbox_image = "{Image}"
            restrict_oom_score_adj = true
            [plugins."io.containerd.grpc.v1.cri".cni]
            conf_dir = "{this["cni"]}"
            bin_dir = "{this["cni"]}"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
            runtime_type = "io.containerd.runc.v2"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
            SystemdCgroup = false
            """);
        Start("containerd", "/usr/bin/containerd", "--config", this["containerd.toml"]);
        var archive = this["busybox.tar"];
        SomeImage.WriteBusybox(archive, Image);
        await UntilAsync("containerd", () => Task.FromResult(Quietly("ctr", "--address", this["containerd.sock"], "version")));
        Ctr("images", "import", archive);
    }

    private void StartKubelet(string kubeconfig)
    {
        File.WriteAllText(this["kubelet.yaml"], $$$"""
            apiVersion: kubelet.config.k8s.io/v1beta1
            kind: KubeletConfiguration
            cgroupDriver: cgroupfs
            failSwapOn: false
            enforceNodeAllocatable: []
            evictionHard: {}
            makeIPTablesUtilChains: false
            authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
            authorization: {mode: AlwaysAllow}
            port: {{{_ports[5]}}}
            healthzPort: {{{_ports[6]}}}
            """);
        Start("kubelet", Path.Combine(Programs, "kubelet"), "--kubeconfig", kubeconfig, "--config", this["kubelet.yaml"], "--container-runtime=remote", $"--container-runtime-endpoint=unix://{this["containerd.sock"]}", $"--root-dir={this["kubelet"]}", $"--hostname-override={Name}", $"--cert-dir={this["kubelet-pki"]}");
    }

    private Process Start(string name, string program, params string[] arguments)
    {
        var log = this[$"{name}.log"];
        var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", log, program, .. arguments]))!;
        _programs.Add((name, process));
        return process;
    }

    private async Task UntilAsync(string what, Func<Task<bool>> done)
    {
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            while (!await done())
            {
                if (_programs.Find(program => program.Process.HasExited) is { Name: { } name }) throw new InvalidOperationException($"{name} ended: {Tail(name)}");
                await Task.Delay(200, limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{what} did not come. {string.Join('\n', _programs.Select(program => $"{program.Name}: {Tail(program.Name)}"))}");
        }
    }

    private string Tail(string name) => string.Join('\n', File.ReadLines(this[$"{name}.log"]).TakeLast(5));

    private static bool Quietly(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static int[] FreePorts(int count)
    {
        var ports = new int[count];
        for (var (i, next) = (0, 21000); i < count; i++, next = ports[i - 1] + 1) ports[i] = RunCommand.FreePort(next);
        return ports;
    }
}
