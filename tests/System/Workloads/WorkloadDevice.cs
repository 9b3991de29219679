namespace Appliance.SystemTests.Workloads;

/// <summary>A device with podman, its workload's folder and the repository that both come from.</summary>
/// <param name="name">Names its folder in out/ and its machine.</param>
public abstract class WorkloadDevice(string name) : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Product.Root, "out", $"test-{name}");
    private readonly DirectoryInfo _state = Directory.CreateTempSubdirectory(name);

    private protected RepositoryServer Server { get; private set; } = null!;

    /// <summary>The folder of definitions, images and bundles.</summary>
    private protected string Folder => _folder;

    private protected ShopWorkload Shop => new(Path.Combine(_folder, "shop"));

    /// <inheritdoc/>
    public ValueTask InitializeAsync()
    {
        Server = new RepositoryServer(_folder);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _state.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Builds a version of the image.</summary>
    /// <param name="version">The version.</param>
    /// <param name="workloads">What it says of workloads beside the engine.</param>
    /// <param name="checks">Its health checks.</param>
    private protected async Task BuildImageAsync(string version, string workloads, string checks)
    {
        var definition = Path.Combine(_folder, $"edge-{version}.yaml");
        await File.WriteAllTextAsync(definition, $$"""
            id: edge
            version: "{{version}}"
            suite: trixie
            board: vm-x86_64
            sourceDate: 2026-11-01
            hostname: edge
            overlays: [overlays/base, overlays/supervisor]
            sizes: { esp: 256MiB, slot: 1GiB, data: 1GiB }
            persist: [/etc/appliance, /etc/hostname, /etc/machine-id, /etc/systemd/network]
            workloads: { engine: podman, {{workloads}} }
            health: { stabilisation: 5s, checks: {{checks}} }
            updates:
              root: keys/root.json
              url: {{Server.AddressOf("repository")}}
              check: 30s
            """);
        await Product.SucceedAsync("build", definition, "--output", _folder, "--cache", Product.Cache, "--json");
    }

    /// <summary>Starts a machine with a version of the image.</summary>
    private protected Task<RunningMachine> StartAsync(string version) => RunningMachine.StartAsync(name, Path.Combine(_folder, $"edge_{version}_amd64", "disk.img"), Path.Combine(_state.FullName, "state.qcow2"));
}
