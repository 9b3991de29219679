using System.Text.Json.Nodes;
using Appliance.UpdateServer.Access;

namespace UpdateServer.Tests.Management;

/// <summary>The program <c>appliance fleet …</c> against the whole server, over TLS with a certificate of the server's own making.</summary>
public sealed class FleetCommandTests
{
    [Fact]
    public async Task ARollout_FromTheCommandLine()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        var release = await scene.UploadAsync("edge", "1.1", [1, 2, 3]);
        foreach (var id in new[] { "edge-1", "edge-2" }) await scene.Device(id).DescribeAsync(new { version = "1.0", board = "vm" });

        Assert.Contains("2 devices", (await RunAsync(scene, "overview")).Said, StringComparison.Ordinal);
        Assert.Matches("(?m)^edge-2 .*unknown +1.0 +vm", (await RunAsync(scene, "devices", "--filter", "id=edge-*")).Said);
        await RunAsync(scene, "label", "edge-1", "site", "berlin");
        Assert.Equal("It is rollout 1.\n", (await RunAsync(scene, "rollout", "create", "all of them", "--release", $"{release}", "--group", "1", "--error", "60", "--start")).Said);

        // It says how it goes, and ends when the rollout does.
        var watching = RunAsync(scene, "rollout", "watch", "1");
        for (var done = 0; done < 2;)
        {
            await scene.StepAsync();
            foreach (var id in new[] { "edge-1", "edge-2" })
            {
                if (await scene.Device(id).LinkAsync("deploymentBase") is null) continue;
                await scene.Device(id).DoAsync("success");
                done++;
            }
        }
        await scene.StepAsync();
        var (exitCode, said) = await watching;
        Assert.Equal(0, exitCode);
        Assert.Contains("all of them: finished, 2 of 2 run it, 0 failed, 0 are at it", said, StringComparison.Ordinal);
        Assert.Contains("label.site: berlin", (await RunAsync(scene, "device", "edge-1")).Said, StringComparison.Ordinal);
        Assert.Equal("finished", (string?)JsonNode.Parse((await RunAsync(scene, "rollout", "show", "1", "--json")).Said)!["state"]);
        Assert.Matches("anna +rollout.start", (await RunAsync(scene, "audit")).Said);

        // A device does not command the terminal of whoever looks at it.
        await scene.Device("edge-1").DescribeAsync(new { version = "1\u001b[31m" });
        var shown = (await RunAsync(scene, "device", "edge-1")).Said;
        Assert.Contains("version: 1\uFFFD[31m", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARotation_FromTheCommandLine()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        var device = scene.Device("edge-1");
        await device.PollAsync();

        Assert.Equal("It is action 1.\n", (await RunAsync(scene, "rotate", "page-certificate", "--device", "edge-1", "--forced")).Said);
        var deployment = (await device.GetAsync((await device.LinkAsync("deploymentBase"))!))["deployment"]!;
        Assert.Equal(("forced", "page-certificate"), ((string?)deployment["update"], (string?)deployment["chunks"]![0]!["name"]));
        await device.DoAsync("success");

        Assert.Equal("It is release 2: appliance fleet rollout create NAME --release 2\n", (await RunAsync(scene, "rotate", "all")).Said);
        Assert.Equal("rotation", (string?)JsonNode.Parse((await RunAsync(scene, "rotate", "all", "--json")).Said)!["kind"]);
        await RunAsync(scene, "rollout", "create", "everything", "--release", "2", "--start");
        await device.DoAsync("success");
        Assert.Matches("all \\S+Z +finished", (await RunAsync(scene, "device", "edge-1")).Said);
        Assert.Matches("2 +all +\\S+Z +rotation", (await RunAsync(scene, "releases")).Said);

        Assert.StartsWith("error: There is no device edge-9.", (await RunAsync(scene, "rotate", "ssh-host-key", "--device", "edge-9")).Said, StringComparison.Ordinal);
        Assert.DoesNotContain("ssh-host-key", (await RunAsync(scene, "releases")).Said, StringComparison.Ordinal); // nothing was made for nobody
        Assert.StartsWith("error: --forced is for a device.", (await RunAsync(scene, "rotate", "all", "--forced")).Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AListOfKeys_FromTheCommandLine_HasTheNumberThatWasSigned()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        await scene.Device("edge-1").PollAsync();
        var file = Path.Combine(scene.DataFolder, "list");
        await File.WriteAllTextAsync(file, "serial: 12\nusers: []\n-----BEGIN SSH SIGNATURE-----\n", TestContext.Current.CancellationToken); // whether it is good is the devices' business

        Assert.Equal("It is release 1: appliance fleet rollout create NAME --release 1\n", (await RunAsync(scene, "rotate", "ssh-authorized-keys", "--file", file)).Said);
        Assert.Equal("It is action 1.\n", (await RunAsync(scene, "rotate", "ssh-authorized-keys", "--file", file, "--device", "edge-1")).Said);
        Assert.Matches("1 +ssh-authorized-keys +12 +rotation", (await RunAsync(scene, "releases")).Said);

        Assert.StartsWith("error: A server cannot bring a new registry.", (await RunAsync(scene, "rotate", "registry", "--file", file)).Said, StringComparison.Ordinal);
        Assert.StartsWith($"error: {file}2 cannot be read", (await RunAsync(scene, "rotate", "ssh-authorized-keys", "--file", file + "2")).Said, StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, "serial: 13\nusers: []\n", TestContext.Current.CancellationToken);
        Assert.StartsWith("error: The list is not signed.", (await RunAsync(scene, "rotate", "ssh-authorized-keys", "--file", file)).Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatGoesWrong_IsSaidInOneLine()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true);
        var viewer = await scene.KeyAsync("vera", Role.Viewer);

        await RefusesAsync("There is no device edge-9.", "device", "edge-9");
        await RefusesAsync("\"health=\" is no condition on devices.", "devices", "--filter", "health=");
        await RefusesAsync("There is no release 7.", "rollout", "create", "x", "--release", "7");
        Assert.Contains("The key vera is one of a Viewer", (await RunAsAsync(scene, viewer, null, "rollout", "create", "x", "--release", "7")).Said, StringComparison.Ordinal);
        Assert.Contains("does not know the key", (await RunAsAsync(scene, "apk_1_x", null, "devices")).Said, StringComparison.Ordinal);
        Assert.Contains($"shows another certificate than the known one: its SHA-256 fingerprint is {scene.Fingerprint()} and not {new string('0', 64)}", (await RunAsAsync(scene, scene.Key, new string('0', 64), "devices")).Said, StringComparison.Ordinal);

        async Task RefusesAsync(string expected, params string[] arguments)
        {
            var (exitCode, said) = await RunAsync(scene, arguments);
            Assert.Equal(2, exitCode);
            Assert.StartsWith($"error: {expected}", said, StringComparison.Ordinal);
        }
    }

    private static Task<(int ExitCode, string Said)> RunAsync(ServerScene scene, params string[] arguments) => RunAsAsync(scene, scene.Key, null, arguments);

    private static Task<(int ExitCode, string Said)> RunAsAsync(ServerScene scene, string key, string? fingerprint, params string[] arguments) =>
        BuilderProgram.RunAsync(["fleet", .. arguments], ("APPLIANCE_SERVER", scene.Address.ToString()), ("APPLIANCE_SERVER_KEY", key), ("APPLIANCE_SERVER_FINGERPRINT", fingerprint ?? scene.Fingerprint()));
}
