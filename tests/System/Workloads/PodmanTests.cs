using System.Text.Json.Nodes;

namespace Appliance.SystemTests.Workloads;

/// <summary>
/// A workload on a device with podman, as its publisher and the device live with it: podman, Quadlet and systemd of the image, images
/// that only the releases bring.
/// </summary>
public sealed class PodmanTests() : WorkloadDevice("podman")
{
    private RunningMachine _machine = null!;

    [Fact(Explicit = true)]
    public async Task AWorkload_IsFollowed_TakenBackWhenItFails_AndRunsWithoutANetwork()
    {
        await MakeAsync();
        await using var machine = _machine = await StartAsync("1.0");
        await _machine.WaitForGoodBootAsync();

        // The image names it, so the device takes it by itself.
        await ComesToAsync("1");
        Assert.Equal("hello 1", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /words/hello"));
        Assert.Equal("running", await _machine.RunAsync("podman inspect --format '{{.State.Status}}' leaving-main"));
        Assert.Contains("started 1", await _machine.RunAsync("appliancectl workloads logs shop --container web"), StringComparison.Ordinal);
        Assert.Equal(0, (await _machine.Shell.RunAsync("appliancectl workloads status shop", Token)).ExitCode);
        // For the table in bench/README.md.
        TestContext.Current.TestOutputHelper!.WriteLine("memory of podman's own processes, KiB: " + await _machine.RunAsync("for name in /proc/[0-9]*/comm; do case $(cat $name 2>/dev/null) in conmon|aardvark-dns|catatonit) cat ${name%comm}smaps_rollup 2>/dev/null;; esac; done | awk '/^Pss:/ { sum += $2 } END { print sum }'"));
        var steady = await _machine.RunAsync("podman inspect --format '{{.Id}}' steady-main");
        await _machine.RunAsync("podman exec web-pod-web /bin/busybox sh -c 'echo kept > /data/file'");

        // What changed is made anew, what did not runs on, what is gone is gone, and a job is done once.
        await PublishAsync("2", "web", "steady", "migrate");
        await ComesToAsync("2");
        Assert.Equal("hello 2", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /words/hello"));
        Assert.Equal("kept", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /data/file"));
        Assert.Equal(steady, await _machine.RunAsync("podman inspect --format '{{.Id}}' steady-main"));
        Assert.Equal("", await _machine.RunAsync("podman ps --all --quiet --filter name=leaving; ls /var/lib/appliance/containers/systemd | grep leaving || true"));
        Assert.Equal("migrated", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /data/log"));

        // A release that crashes is taken back, with the reason, and not tried again.
        await PublishAsync("3", "crashing", "steady");
        await _machine.WaitAsync("version 3, taken back", async () => await WorkloadAsync() is { } shop && (string?)shop["lastVersion"] == "3" && (string?)shop["state"] == "idle");
        var after = (await WorkloadAsync())!;
        Assert.Equal(("2", "reverted"), ((string?)after["version"], (string?)after["lastOutcome"]));
        Assert.Contains("Deployment web: web: it was started again", (string?)after["lastDetail"], StringComparison.Ordinal);
        await ComesToAsync("2");
        Assert.Equal("hello 2", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /words/hello"));
        Assert.Equal(steady, await _machine.RunAsync("podman inspect --format '{{.Id}}' steady-main"));

        // Without its repository: it comes up, works, goes back, and goes away.
        using var closed = Server.Close();
        await _machine.RebootAsync();
        await ComesToAsync("2");
        Assert.Equal("hello 2", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /words/hello"));
        Assert.Equal("migrated", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /data/log")); // and not twice
        Assert.Equal("", await _machine.RunAsync("systemctl --failed --plain --no-legend"));
        Assert.Equal(0, (await _machine.AskAsync("workloads rollback shop")).ExitCode);
        Assert.Equal("hello 1", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /words/hello"));
        Assert.Equal(0, (await _machine.AskAsync("workloads remove shop")).ExitCode);
        Assert.Equal("", await _machine.RunAsync("podman ps --all --quiet; ls /var/lib/appliance/containers/systemd; podman images --quiet --filter reference='example.org/*/*'"));
        Assert.Equal("shop-data", await _machine.RunAsync("podman volume ls --quiet --filter name=shop-data"));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private async Task<JsonNode?> WorkloadAsync() => (await _machine.ControlAsync())?["workloads"] is JsonArray { Count: > 0 } workloads ? workloads[0] : null;

    /// <summary>The release is kept, and all its objects are ready.</summary>
    private Task ComesToAsync(string version) => _machine.WaitAsync($"release {version}, ready", async () =>
        await WorkloadAsync() is { } shop && (string?)shop["version"] == version && (string?)shop["state"] == "idle" && (await _machine.Shell.RunAsync("appliancectl workloads status shop", Token)).ExitCode == 0);

    private async Task MakeAsync()
    {
        await Server.StartAsync("stable");
        await PublishAsync("1", "web", "steady", "leaving");
        await BuildImageAsync("1.0", "follow: [shop]", "[{ name: workloads, workloads: true }]");
    }

    /// <summary>Packs a release of some objects, and publishes it.</summary>
    private async Task PublishAsync(string version, params string[] objects)
    {
        await Shop.WriteAsync(version, objects);
        var bundle = Path.Combine(Folder, $"shop-{version}.bundle");
        await Product.SucceedAsync("bundle", "--workload", Shop.Folder, "-o", bundle);
        await Server.PublishAsync(bundle, "stable", "--level", "1");
    }
}
