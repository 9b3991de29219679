using System.Diagnostics;

namespace Appliance.SystemTests.Updates;

/// <summary>
/// A small image in several versions, one of them good and the others each bad in a way of its own, published with keys of its
/// own and served where a virtual machine finds it. Built with the cache of ./build.sh, kept between runs of the tests.
/// </summary>
/// <param name="name">Name of its folder in out/.</param>
/// <param name="board">The board the image is for.</param>
/// <param name="more">Sections of its definition that others do not need.</param>
/// <param name="architecture">The board's architecture.</param>
/// <param name="slot">Size of a slot.</param>
/// <param name="sources">Where the image looks for versions: lines of its definition's <c>updates</c>; null is the served folder.</param>
public sealed class UpdateRepository(string name = "test-updates", string board = "vm-x86_64", string? sources = null, string more = "", string architecture = "amd64", string slot = "640MiB") : IAsyncLifetime
{
    internal const string First = "1.0", Good = "1.1", Unhealthy = "1.2", Panicking = "1.3", Hanging = "1.4";

    private static readonly Dictionary<string, string> Channels = new() { [First] = "stable", [Good] = "stable", [Unhealthy] = "unhealthy", [Panicking] = "panicking", [Hanging] = "hanging" };

    private readonly HashSet<string> _published = [];
    private readonly RepositoryServer _server = new(FolderOf(name));

    internal string Folder { get; } = FolderOf(name);

    /// <summary>The repository.</summary>
    internal string Repository => Path.Combine(Folder, "repository");

    /// <summary>The repository as it was before the good version.</summary>
    private string Old => Path.Combine(Folder, "old");

    /// <summary>Their addresses for the device: QEMU's name of the host.</summary>
    internal string Address => _server.AddressOf("repository");
    internal string OldAddress => _server.AddressOf("old");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        await _server.StartAsync(Channels.Values.Distinct());
        await PublishAsync(First);
        // What somebody plays back who wants devices to stay on what they have.
        using (var copy = Process.Start("cp", ["-a", Repository, Old])) await copy.WaitForExitAsync();
        await PublishAsync(Good);
    }

    /// <summary>The server has nothing for anybody until this is disposed of.</summary>
    internal IDisposable Close() => _server.Close();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    /// <summary>Builds a version and publishes it in its channel, once.</summary>
    internal async Task PublishAsync(string version)
    {
        if (!_published.Add(version)) return;
        await BuildAsync(version);
        await _server.PublishAsync(Bundle(version), Channels[version], "--no-chunks", "--patches", "1", "--level", "1");
    }

    private static string FolderOf(string name) => Path.Combine(Product.Root, "out", name);

    internal string Disk(string version) => Path.Combine(Folder, Name(version), "disk.img");

    internal static string Channel(string version) => Channels[version];

    private string Bundle(string version) => Path.Combine(Folder, Name(version), $"{Name(version)}.bundle");

    private string Name(string version) => $"edge_{version}_{architecture}";

    private async Task BuildAsync(string version)
    {
        var definition = Path.Combine(Folder, $"edge-{version}.yaml");
        WriteOverlay(version);
        await File.WriteAllTextAsync(definition, $$"""
            id: edge
            version: {{version}}
            suite: trixie
            board: {{board}}
            sourceDate: 2026-11-01
            hostname: edge
            overlays: [overlays/base, overlays/supervisor, overlay-{{version}}]
            sizes: { esp: 256MiB, slot: {{slot}}, data: 256MiB }
            persist: [/etc/appliance, /etc/hostname, /etc/machine-id, /etc/systemd/network]
            state: [/var/lib/edge]
            kernel:
              arguments: [{{(version == Panicking ? "rdinit=/nowhere" : "systemd.crash_action=freeze")}}]
            health:
              timeout: {{(version == Unhealthy ? "30s" : "5min")}}
              stabilisation: 5s
              checks:
                - name: product
                  unit: edge.service
            updates:
              root: keys/root.json
              {{sources ?? $"url: {Address}"}}
              check: 30s
              # Cuts in the middle of a download need one that lasts.
              rate: 16MiB

            """ + more);
        await Product.SucceedAsync("build", definition, "--output", Folder, "--cache", Product.Cache, "--json");
    }

    /// <summary>The product: a unit with data that a newer version migrates.</summary>
    private void WriteOverlay(string version)
    {
        var units = Directory.CreateDirectory(Path.Combine(Folder, $"overlay-{version}", "usr", "lib", "systemd", "system")).FullName;
        var work = version switch
        {
            Unhealthy => "echo the product cannot work; exit 1",
            Hanging => "sleep 5; kill -SEGV 1; sleep infinity",
            _ => "sleep infinity",
        };
        File.WriteAllText(Path.Combine(units, "edge.service"), $"""
            [Unit]
            Description=The product on this device, version {version}
            After=appliance-state.service
            [Service]
            StateDirectory=edge
            TimeoutStartSec=infinity
            ExecStartPre=/bin/sh -c 'while [ -e /var/lib/not-yet ]; do sleep 1; done'
            ExecStartPre=/bin/sh -c 'echo "as {version} likes it" > /var/lib/edge/data'
            ExecStart=/bin/sh -c '{work}'
            """);
        var program = Path.Combine(Directory.CreateDirectory(Path.Combine(Folder, $"overlay-{version}", "usr", "lib", "edge")).FullName, "new-key");
        File.WriteAllText(program, "#!/bin/sh\nhead -c 24 /dev/urandom | base64 > \"$APPLIANCE_NEW\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var wants = Directory.CreateDirectory(Path.Combine(units, "multi-user.target.wants")).FullName;
        File.CreateSymbolicLink(Path.Combine(wants, "edge.service"), "../edge.service");
    }
}
