using System.Text.Json.Nodes;
using Appliance.Supervisor.Control;
using Appliance.Supervisor.Updates;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Control;

/// <summary>They take for themselves what a process has once: the console, the environment, the meters of a name.</summary>
[CollectionDefinition(nameof(TheProcess), DisableParallelization = true)]
public sealed class TheProcess;

/// <summary>appliancectl against the daemon on a real bus.</summary>
[Collection(nameof(TheProcess))]
public sealed class ControlCommandsTests : IAsyncLifetime
{
    private WorkerScene _worker = null!;
    private DaemonScene _scene = null!;

    public async ValueTask InitializeAsync()
    {
        _worker = new WorkerScene();
        _scene = await DaemonScene.PrepareAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        Environment.SetEnvironmentVariable("APPLIANCE_BUS", _scene.BusAddress);
    }

    public async ValueTask DisposeAsync()
    {
        Environment.SetEnvironmentVariable("APPLIANCE_BUS", null);
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
    }

    [Fact]
    public async Task Status_InWordsAndAsJson()
    {
        await _scene.StartWithSlotsAsync();
        await _scene.HealthBecomesAsync("healthy");

        var (code, words, _) = await RunAsync("status");
        var (jsonCode, json, _) = await RunAsync("status", "--json");

        Assert.Equal((0, 0), (code, jsonCode));
        Assert.StartsWith("edge 1.0 on vm, slot a, healthy\nUpdate: nothing under way\nSlots:\n  a  1.0", words, StringComparison.Ordinal);
        Assert.Contains("good, running\n", words, StringComparison.Ordinal);
        var state = JsonNode.Parse(json)!;
        Assert.Equal(("edge", "idle", "healthy"), ((string?)state["id"], (string?)state["updateState"], (string?)state["health"]));
        Assert.Equal("empty", (string?)state["slots"]![1]!["state"]);
    }

    [Fact]
    public async Task Health_SaysByItsExitCode()
    {
        await _scene.StartWithSlotsAsync();
        await _scene.HealthBecomesAsync("healthy");
        Assert.Equal(0, (await RunAsync("health")).Code);

        _scene.Systemd.Units["broken.service"] = "failed";
        await _scene.Systemd.AnnounceChangeAsync();
        await _scene.HealthBecomesAsync("unhealthy");

        var (code, words, _) = await RunAsync("health");
        Assert.Equal(1, code);
        Assert.Contains("broken.service", words, StringComparison.Ordinal);
        Assert.Equal("unhealthy", (string?)JsonNode.Parse((await RunAsync("health", "--json")).Output)!["health"]);
    }

    [Fact]
    public async Task CheckThenInstall_ThenTheHistory()
    {
        await _worker.PublishAsync("Faster.\nAnd smaller.");
        await _scene.StartWithSlotsAsync();

        var check = await RunAsync("check", "--source", _worker.Publisher.Repository);
        Assert.Equal(0, check.Code);
        Assert.StartsWith("version 1.1 can be installed; ", check.Output, StringComparison.Ordinal);
        Assert.EndsWith("\n\nWhat is new in version 1.1:\n  Faster.\n  And smaller.\n", check.Output, StringComparison.Ordinal);

        var install = await RunAsync("install", _worker.Publisher.Repository, "--reboot", "false");
        Assert.Equal((0, "version 1.1 is in slot b and waits for the restart\n"), (install.Code, install.Output));

        var again = await RunAsync("install", _worker.Publisher.Repository, "--json");
        Assert.Equal("version 1.1 is installed already and waits for the restart", (string?)JsonNode.Parse(again.Output)!["message"]);

        var history = await RunAsync("history");
        Assert.Matches($"^[0-9-]+ [0-9:]+ UTC  installed   1.1 +by {Environment.UserName}; ", history.Output);
        Assert.Contains("version 1.1 is installed and waits for the restart", (await RunAsync("status")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASupportBundle_IsWhole_OrNotThere()
    {
        await _scene.StartWithSlotsAsync();
        var path = _scene.File("support.tar.gz");

        Assert.Equal(0, (await RunAsync("support-bundle", path)).Code);

        Assert.Equal([0x1f, 0x8b], (await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken))[..2]); // RFC 1952, 2.3.1
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!, "support*"));
        var (code, _, error) = await RunAsync("support-bundle", "/nowhere/support.tar.gz");
        Assert.Equal(2, code);
        Assert.StartsWith("error: /nowhere/support.tar.gz cannot be written: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatFails_Is1_WithTheReason()
    {
        await _scene.StartWithSlotsAsync();

        var (code, output, error) = await RunAsync("install", "/nowhere");

        Assert.Equal((1, ""), (code, output));
        Assert.Contains("error: ", error, StringComparison.Ordinal);
        Assert.Contains("/nowhere", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADeviceThatCannot_Is1()
    {
        _scene.WorkerSocket = null;
        await _scene.StartAsync();

        var (code, _, error) = await RunAsync("mark-bad", "b");

        Assert.Equal(1, code);
        Assert.StartsWith("error: the worker cannot be reached", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("rollback")]
    [InlineData("mark-bad", "c")]
    [InlineData("clear-failed", "1.1")]
    public async Task WhatIsRefused_Is2_WithTheReason(params string[] args)
    {
        await _scene.StartWithSlotsAsync();

        var (code, _, error) = await RunAsync(args);

        Assert.Equal(2, code);
        Assert.StartsWith("error: ", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fly")]
    [InlineData("mark-bad")]
    [InlineData("status", "--colour")]
    [InlineData("install", "x", "--reboot", "maybe")]
    public async Task WhatIsMisunderstood_Is2(params string[] args) => Assert.Equal(2, (await RunAsync(args)).Code);

    [Fact]
    public async Task WithoutASupervisor_ItSaysSo()
    {
        var (code, _, error) = await RunAsync("status");

        Assert.Equal((2, "error: The supervisor does not run.\n  systemctl status appliance-supervisor says why.\n"), (code, error));
    }

    [Fact]
    public async Task WithoutABus_ItSaysSo()
    {
        Environment.SetEnvironmentVariable("APPLIANCE_BUS", "unix:path=/nowhere");

        var (code, _, error) = await RunAsync("status");

        Assert.Equal(2, code);
        Assert.StartsWith("error: The system bus cannot be reached: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryVerb_HasAnExample_AndTheHelpListsIt()
    {
        var help = (await RunAsync("--help")).Output;
        foreach (var verb in new[] { "status", "health", "check", "install", "cancel", "reboot", "rollback", "mark-good", "mark-bad", "clear-failed", "history", "findings", "logs", "support-bundle", "setup-code", "login", "logout", "completion" })
        {
            Assert.Contains($"  {verb} ", help, StringComparison.Ordinal);
            Assert.Contains("Example:", (await RunAsync(verb, "--help")).Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Completion_IsAScriptThatBashTakes_AndSuggestionsAreThere()
    {
        var script = (await RunAsync("completion")).Output;
        var bash = await Appliance.Supervisor.Processes.ProcessRunner.RunAsync(new("/bin/bash") { Arguments = ["-c", script + "\ncomplete -p appliancectl"], Limit = TimeSpan.FromSeconds(30) }, TestContext.Current.CancellationToken);
        Assert.True(bash.Succeeded);

        Assert.Equal("mark-bad\nmark-good\n", (await RunAsync("[suggest:15]", "appliancectl ma")).Output);
    }

    private static Task<(int Code, string Output, string Error)> RunAsync(params string[] args) => ControlProgram.RunAsync(args);
}
