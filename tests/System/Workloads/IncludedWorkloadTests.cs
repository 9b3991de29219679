using System.Text.Json.Nodes;

namespace Appliance.SystemTests.Workloads;

/// <summary>An image that brings a workload, on a device with podman: the operating system and the workload are kept or left together.</summary>
public sealed class IncludedWorkloadTests() : WorkloadDevice("included")
{
    private RunningMachine _machine = null!;

    [Fact(Explicit = true)]
    public async Task AWorkloadOfTheImage_IsKeptWithIt_AndTakenBackWithIt()
    {
        await Server.StartAsync("stable");
        await BuildAsync("1.0", "1", "web", "steady");
        await using var machine = _machine = await StartAsync("1.0");

        // Without a network and without being asked; before that no boot is good.
        await _machine.WaitForGoodBootAsync();
        Assert.Equal(("1", "hello 1"), await ShopAsync());
        Assert.Contains("comes and goes with it", (await _machine.AskAsync("workloads remove shop")).Said, StringComparison.Ordinal);
        await _machine.RunAsync("podman exec web-pod-web /bin/busybox sh -c 'echo kept > /data/file'");

        await PublishAsync("1.1", "2", "web", "steady");
        await _machine.WaitAsync("version 1.1, kept", async () => await _machine.ControlAsync() is { } status && (string?)status["version"] == "1.1" && (string?)status["updateState"] == "idle");
        Assert.Equal(("2", "hello 2"), await ShopAsync());

        // The system of 1.2 is sound; its workload is not.
        await PublishAsync("1.2", "3", "crashing", "steady");
        await _machine.WaitAsync("release 3, taken back", async () => await _machine.ControlAsync() is { } status && status["workloads"] is JsonArray { Count: > 0 } workloads && (string?)workloads[0]!["lastVersion"] == "3" && (string?)workloads[0]!["lastOutcome"] == "reverted");
        // The boot loader gives a version three tries, and each of them the release another one; an emulated machine takes minutes for each.
        foreach (var left in new[] { 1, 0 }) await _machine.WaitAsync($"the try of 1.2 with {left} left", async () => await _machine.StatusAsync() is { } status && ((string?)status["version"] == "1.1" || (int?)status["triesLeft"] == left));
        await _machine.WaitAsync("version 1.2, given up", async () => await _machine.ControlAsync() is { } status && (string?)status["version"] == "1.1" && status["failedVersions"] is JsonArray { Count: > 0 });
        await _machine.WaitForGoodBootAsync();

        var failed = (await _machine.ControlAsync())!["failedVersions"]![0]!;
        Assert.Equal("1.2", (string?)failed["version"]);
        Assert.Contains("shop: version 3 was not kept: Deployment web", failed.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(("2", "hello 2"), await ShopAsync());
        Assert.Equal("kept", await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /data/file"));
    }

    private async Task<(string?, string)> ShopAsync() =>
        ((string?)(await _machine.ControlAsync())!["workloads"]![0]!["version"], await _machine.RunAsync("podman exec web-pod-web /bin/busybox cat /words/hello"));

    private async Task PublishAsync(string version, string release, params string[] objects)
    {
        await BuildAsync(version, release, objects);
        await Server.PublishAsync(Path.Combine(Folder, $"edge_{version}_amd64", $"edge_{version}_amd64.bundle"), "stable", "--no-chunks", "--patches", "1", "--level", "1");
    }

    private async Task BuildAsync(string version, string release, params string[] objects)
    {
        await Shop.WriteAsync(release, objects);
        await BuildImageAsync(version, "include: [shop]", "[]");
    }
}
