using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Publish;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Supervisor.Tests.Web;
using Supervisor.Tests.Worker;
using UpdateClient.Tests.Workloads;

namespace Supervisor.Tests.Control;

/// <summary>Workloads from the command line and the page, with the real daemon and worker, a signed repository, and a model of an engine.</summary>
[Collection(nameof(TheProcess))]
public sealed class WorkloadControlTests : IAsyncLifetime
{
    private WorkerScene _worker = null!;
    private DaemonScene _scene = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Repository => _worker.Publisher.Repository;

    public async ValueTask InitializeAsync()
    {
        _worker = new WorkerScene();
        _scene = await DaemonScene.PrepareAsync();
        _scene.WorkerSocket = _worker.SocketPath;
        Environment.SetEnvironmentVariable("APPLIANCE_BUS", _scene.BusAddress);
        await _scene.StartWithSlotsAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in new[] { "APPLIANCE_BUS", "XDG_CONFIG_HOME" }) Environment.SetEnvironmentVariable(name, null);
        await _scene.DisposeAsync();
        await _worker.DisposeAsync();
    }

    private async Task PublishAsync(string version) => await _worker.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_worker.Publisher, version, layerSize: 64 << 10));

    private async Task<string> ExportAsync()
    {
        var bundle = _worker.Publisher["shop.bundle"];
        await new OfflineExport(Repository, "stable", null, _worker.Publisher.Time, "shop").WriteAsync(bundle, null, Token);
        return bundle;
    }

    private static Task<(int Code, string Output, string Error)> RunAsync(params string[] args) => ControlProgram.RunAsync(["workloads", .. args]);

    [Fact]
    public async Task FromTheFirstRelease_ToTheLast()
    {
        Assert.Equal("There is no workload here.\n", (await RunAsync("list")).Output);
        await PublishAsync("1.0");
        Assert.StartsWith("version 1.0 of shop can be applied; ", (await RunAsync("check", "shop", "--source", Repository)).Output, StringComparison.Ordinal);

        Assert.Equal((0, "shop runs version 1.0\n"), (await RunAsync("apply", "shop", "--source", Repository)) is var (code, output, _) ? (code, output) : default);

        Assert.Matches("^shop  1.0  applied 1.0 at [0-9-]+ [0-9:]+\n$", (await RunAsync("list")).Output);
        var status = await RunAsync("status", "shop");
        Assert.Equal(0, status.Code);
        Assert.Matches("\n  ConfigMap words +ready", status.Output);
        Assert.Equal("1.0", (string?)JsonNode.Parse((await RunAsync("status", "shop", "--json")).Output)!["version"]);
        Assert.Equal("log of 1.0\n", (await RunAsync("logs", "shop")).Output);
        Assert.Equal("the newest version of shop is here\n", (await RunAsync("apply", "shop", "--source", Repository)).Output);

        await PublishAsync("1.1");
        Assert.Equal(0, (await RunAsync("apply", await ExportAsync())).Code);
        Assert.Equal("shop runs version 1.0\n", (await RunAsync("rollback", "shop")).Output);
        Assert.Equal("shop is removed\n", (await RunAsync("remove", "shop")).Output);
        Assert.Equal("There is no workload here.\n", (await RunAsync("list")).Output);
    }

    [Fact]
    public async Task AReleaseThatFails_IsAFailure_WithTheReason_AndTheOldOneRuns()
    {
        await PublishAsync("1.0");
        await RunAsync("apply", "shop", "--source", Repository);
        await PublishAsync("1.1");
        _worker.Engine.Readiness = version => version == "1.1" ? Readiness.Failed("it crashes") : Readiness.Ready("");

        var (code, _, error) = await RunAsync("apply", "shop", "--source", Repository);

        Assert.Equal(1, code);
        Assert.EndsWith("\nerror: Version 1.1 of shop was not kept: ConfigMap words: it crashes\n  Version 1.0 runs again.\n", error, StringComparison.Ordinal);
        Assert.Contains("reverted 1.1", (await RunAsync("list")).Output, StringComparison.Ordinal);
        Assert.Contains("was tried here and not kept", (await RunAsync("apply", "shop", "--source", Repository)).Error, StringComparison.Ordinal);
        Assert.Equal("1.0", Assert.Single(_worker.Engine.Objects).Value);
    }

    [Fact]
    public async Task AStoppedJob_BringsTheOldReleaseBack()
    {
        foreach (var version in new[] { "1.0", "1.1" }) await PublishAsync(version);
        await RunAsync("apply", "shop", "--source", Repository, "--version", "1.0");
        _worker.Engine.Readiness = version => version == "1.1" ? Readiness.Waiting("soon") : Readiness.Ready("");
        var job = _scene.Service<WorkloadUpdates>().Apply(new WorkloadRequest { Id = "shop", Source = Repository, By = "a test" });
        await Eventually.IsTrueAsync(() => job.View.Phase == "proving", "the release is on trial");

        Assert.Equal(0, (await ControlProgram.RunAsync("cancel")).Code);
        await job.Work.WaitAsync(Token);

        Assert.Equal(JobState.Cancelled, job.View.State);
        Assert.Equal("1.0", Assert.Single(_worker.Engine.Objects).Value);
        Assert.Contains("reverted 1.1", (await RunAsync("list")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADaemonThatIsStopped_GoesOnAfterwards()
    {
        foreach (var version in new[] { "1.0", "1.1" }) await PublishAsync(version);
        await RunAsync("apply", "shop", "--source", Repository, "--version", "1.0");
        _worker.Engine.Readiness = version => version == "1.1" ? Readiness.Waiting("soon") : Readiness.Ready("");
        var job = _scene.Service<WorkloadUpdates>().Apply(new WorkloadRequest { Id = "shop", Source = Repository, By = "a test" });
        await Eventually.IsTrueAsync(() => job.View.Phase == "proving", "the release is on trial");
        await _scene.StopAsync();
        await _worker.AllServed;
        _worker.Engine.Readiness = _ => Readiness.Ready("");
        await _scene.StartWithSlotsAsync();

        await Eventually.IsTrueAsync(() => _scene.Service<WorkloadUpdates>() is { Known: [{ State: { Current: "1.1", Trial: null } }], IsInterrupted: false }, "the new release");
    }

    [Fact]
    public async Task FromAnotherComputer_AndOnThePage()
    {
        await PublishAsync("1.0");
        Environment.SetEnvironmentVariable("XDG_CONFIG_HOME", _scene.File("config"));
        using var browser = new Browser(_scene.Http.BaseAddress!);
        await browser.OwnAsync(_scene.Service<OwnerAccess>().SetupCode!);
        await File.WriteAllTextAsync(_scene.File("password"), Browser.Password + "\n", Token);
        string[] host = ["--host", $"127.0.0.1:{_scene.Http.BaseAddress!.Port}"];
        Assert.Equal(0, (await ControlProgram.RunAsync([.. host, "login", "--fingerprint", Appliance.Core.Access.PemCertificate.Fingerprint(_scene.Service<Appliance.Supervisor.Web.PageCertificate>().Current), "--password-file", _scene.File("password")])).Code);

        Assert.Equal("shop runs version 1.0\n", (await RunAsync([.. host, "apply", await ExportAsync()])).Output);

        foreach (var command in new string[][] { ["list"], ["status", "shop"], ["logs", "shop"], ["status", "shop", "--json"], ["list", "--json"] })
            Assert.Equal((await RunAsync(command)).Output, (await RunAsync([.. host, .. command])).Output);
        Assert.Equal(2, (await RunAsync([.. host, "status", "other"])).Code);

        await browser.GoAsync("/workloads");
        Assert.Contains("<dd>1.0</dd>", browser.Page, StringComparison.Ordinal);
        await PublishAsync("1.1");
        await browser.SubmitAsync("/api/v1/workloads/apply", ("source", Repository));
        await Eventually.IsTrueAsync(() => _scene.Service<WorkloadUpdates>().Known is [{ State.Current: "1.1" }] && _scene.Service<UpdateEngine>().Job is { View.State: JobState.Done }, "the new release");
        await browser.GoAsync("/workloads/one?id=shop");
        Assert.Contains("<td>ConfigMap words</td><td><span class=\"state good\">ready</span></td>", browser.Page, StringComparison.Ordinal);
        Assert.Contains("log of 1.1", browser.Page, StringComparison.Ordinal);
        await browser.GoAsync("/workloads");
        await browser.SubmitAsync("/api/v1/workloads/roll-back");
        await Eventually.IsTrueAsync(() => _scene.Service<WorkloadUpdates>().Known is [{ State.Current: "1.0" }], "the old release");
    }
}
