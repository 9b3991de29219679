using System.Diagnostics;
using Appliance.SystemTests;

[assembly: AssemblyFixture(typeof(ContainerEngineFixture))]

namespace Appliance.SystemTests;

/// <summary>Real engines from Debian with storage of their own, started when a test asks for one; and the builder image, made once.</summary>
public sealed class ContainerEngineFixture : IAsyncDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"engines-{Guid.NewGuid():N}"[..16]);
    private readonly Dictionary<string, (Process Process, string Socket)> _engines = [];
    private Task<string>? _builder;

    /// <summary>The builder image, of this host's suite: then the supervisor is linked as the host links it.</summary>
    public Task<string> BuilderAsync() => _builder ??= MakeBuilderAsync();

    /// <summary>The address of an engine.</summary>
    public async Task<string> StartAsync(string engine)
    {
        if (!_engines.TryGetValue(engine, out var running))
        {
            var own = Directory.CreateDirectory(Path.Combine(_folder, engine)).FullName;
            var socket = Path.Combine(own, "engine.sock");
            // Where the tests run, a container may not ask for more than its host has, and no bridge can be made.
            await File.WriteAllTextAsync(Path.Combine(own, "containers.conf"), "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n");
            var start = engine == "docker"
                ? new ProcessStartInfo("dockerd", ["--iptables=false", "--ip6tables=false", "--bridge=none", "--data-root", Path.Combine(own, "data"), "--exec-root", Path.Combine(own, "exec"), "--pidfile", Path.Combine(own, "pid"), "--host", $"unix://{socket}"])
                : new ProcessStartInfo("podman", ["--root", Path.Combine(own, "data"), "--runroot", Path.Combine(own, "run"), "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--storage-driver", "overlay", "system", "service", "--time=0", $"unix://{socket}"]);
            start.Environment["CONTAINERS_CONF"] = Path.Combine(own, "containers.conf");
            start.RedirectStandardError = start.RedirectStandardOutput = true;
            var process = Process.Start(start)!;
            process.OutputDataReceived += (_, _) => { };
            process.ErrorDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            _engines[engine] = running = (process, socket);
            var limit = Stopwatch.StartNew();
            while (!File.Exists(socket))
            {
                Assert.True(limit.Elapsed < TimeSpan.FromMinutes(1) && !process.HasExited, $"{engine} does not start");
                await Task.Delay(100);
            }
        }
        return $"unix://{running.Socket}";
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (process, _) in _engines.Values)
        {
            using (var end = Process.Start("kill", [$"{process.Id}"])) await end.WaitForExitAsync();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        if (!Directory.Exists(_folder)) return;
        foreach (var line in (await File.ReadAllLinesAsync("/proc/self/mountinfo")).Select(line => line.Split(' ')[4]).Where(mount => mount.StartsWith(_folder, StringComparison.Ordinal)).Reverse())
            using (var unmount = Process.Start("umount", ["--lazy", line])) await unmount.WaitForExitAsync();
        using var remove = Process.Start("rm", ["-rf", "--one-file-system", _folder]);
        await remove.WaitForExitAsync();
    }

    private async Task<string> MakeBuilderAsync()
    {
        // For who runs these tests often: a builder that is there already.
        if (Environment.GetEnvironmentVariable("APPLIANCE_BUILDER") is { } ready) return ready;
        Directory.CreateDirectory(_folder);
        var suite = (await File.ReadAllLinesAsync("/etc/os-release")).First(line => line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal)).Split('=')[1];
        var file = Path.Combine(_folder, "builder.tar");
        var (exitCode, _, errors) = await Product.RunAsync("builder-image", file, "--suite", suite, "--json");
        Assert.True(exitCode == 0, errors);
        return file;
    }
}
