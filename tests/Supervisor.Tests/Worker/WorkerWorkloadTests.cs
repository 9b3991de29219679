using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Images;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Publish;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using UpdateClient.Tests.Workloads;

namespace Supervisor.Tests.Worker;

/// <summary>The worker fetches releases of workloads from a signed repository and applies them; only the engine is a model.</summary>
public sealed class WorkerWorkloadTests : IAsyncLifetime
{
    private readonly WorkerScene _scene = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    private async Task PublishAsync(string version, string id = "shop") => await _scene.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_scene.Publisher, version, id, layerSize: 64 << 10));

    private Task<WorkerResult> AskAsync(WorkerVerb verb, string? version = null, bool force = false, string? workload = "shop", string? source = null, Stream? bundle = null, CancellationToken? cancellationToken = null) =>
        _scene.Client.RunAsync(new WorkerRequest { Verb = verb, Workload = workload, Version = version, Force = force, Source = bundle is null ? source ?? _scene.Publisher.Repository : "-", Reason = "a test" }, bundle, null, cancellationToken ?? Token);

    private async Task<ReleaseEvent> BringAsync(string version, bool force = false)
    {
        Assert.Equal("fetched", (await AskAsync(WorkerVerb.FetchWorkload, version, force)).Verdict);
        return Assert.Single((await AskAsync(WorkerVerb.ApplyWorkload, version, force)).Outcomes!).Event;
    }

    private async Task<WorkloadStatus> StatusAsync() => Assert.Single((await AskAsync(WorkerVerb.Workloads)).Workloads!);

    [Fact]
    public async Task ARelease_IsFoundFetchedAndApplied()
    {
        await PublishAsync("1.0");
        var check = await AskAsync(WorkerVerb.CheckWorkload);
        Assert.Equal(("available", "1.0"), (check.Verdict, check.Version));
        Assert.InRange(check.DownloadBytes!.Value, 1, 1 << 20);
        Assert.Empty((await AskAsync(WorkerVerb.Workloads, workload: null)).Workloads!); // looking leaves nothing

        Assert.Equal((ReleaseTransaction.Applied, "1.0"), (await BringAsync("1.0")) is var ended ? (ended.Outcome, ended.Version) : default);

        var status = await StatusAsync();
        Assert.Equal("1.0", status.State.Current);
        Assert.Equal(("ConfigMap words", "ready"), (status.Objects![0].Object, status.Objects[0].State));
        Assert.Single(_scene.Engine.Images);
        Assert.Equal("upToDate", (await AskAsync(WorkerVerb.CheckWorkload)).Verdict);
        Assert.Equal("shop", Assert.Single((await AskAsync(WorkerVerb.Workloads, workload: null)).Workloads!).Id);
        Assert.Equal(["log of 1.0"], (await AskAsync(WorkerVerb.WorkloadLog)).Lines);
    }

    [Fact]
    public async Task AReleaseThatFails_IsTakenBack_AndOfferedOnlyToWhoInsists()
    {
        await PublishAsync("1.0");
        await BringAsync("1.0");
        await PublishAsync("1.1");
        _scene.Engine.Readiness = version => version == "1.1" ? Readiness.Failed("it crashes") : Readiness.Ready("");

        Assert.Equal(ReleaseTransaction.Reverted, (await BringAsync("1.1")).Outcome);

        Assert.Equal("1.0", (await StatusAsync()).State.Current);
        Assert.Equal("failedBefore", (await AskAsync(WorkerVerb.CheckWorkload)).Verdict);
        Assert.Equal("failedBefore", (await AskAsync(WorkerVerb.FetchWorkload)).Verdict);
        _scene.Engine.Readiness = _ => Readiness.Ready("");
        Assert.Equal(ReleaseTransaction.Applied, (await BringAsync("1.1", force: true)).Outcome);
    }

    [Fact]
    public async Task AnImageWithoutTheSignatureThatTheDeviceAsksFor_IsRefused_AndNothingChanges()
    {
        await PublishAsync("1.0");
        await BringAsync("1.0");
        await PublishAsync("1.1");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _scene.Write(SignaturePolicy.SettingsPath.TrimStart('/'), JsonSerializer.Serialize(new SignaturePolicy { Rules = [new SignatureRule { Images = "example.org/*", Key = key.ExportSubjectPublicKeyInfoPem() }] }, ImageSettingsJson.Default.SignaturePolicy));

        var error = await Assert.ThrowsAsync<UserError>(() => BringAsync("1.1"));

        Assert.Contains("example.org/shop/web:1: it carries no signature", error.Message, StringComparison.Ordinal);
        Assert.Equal(("1.0", null), (await StatusAsync()).State is var state ? (state.Current, state.Trial) : default);
        Assert.Equal("1.0", _scene.Engine.Objects["ConfigMap words"]);
    }

    [Fact]
    public async Task GoingBackAndRemoving_NeedNoRepository()
    {
        foreach (var version in new[] { "1.0", "1.1" })
        {
            await PublishAsync(version);
            await BringAsync(version);
        }
        Directory.Delete(_scene.Publisher.Repository, recursive: true);

        Assert.Equal("1.0", (await AskAsync(WorkerVerb.RollBackWorkload)).Outcomes![0].Event.Version);
        Assert.Equal("1.0", (await StatusAsync()).State.Current);

        Assert.Equal(ReleaseTransaction.Removed, (await AskAsync(WorkerVerb.RemoveWorkload)).Outcomes![0].Event.Outcome);
        Assert.Empty(_scene.Engine.Objects);
        Assert.Empty((await AskAsync(WorkerVerb.Workloads, workload: null)).Workloads!);
    }

    [Fact]
    public async Task AWorkerThatIsStopped_LeavesTheRestToTheNext_WhichGoesOnOrGivesUp()
    {
        foreach (var version in new[] { "1.0", "1.1" }) await PublishAsync(version);
        await BringAsync("1.0");
        await AskAsync(WorkerVerb.FetchWorkload, "1.1");
        _scene.Engine.Readiness = version => version == "1.1" ? Readiness.Waiting("soon") : Readiness.Ready("");
        using var stop = new CancellationTokenSource();
        _scene.Engine.OnStep = step =>
        {
            if (step == "look") stop.Cancel();
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => AskAsync(WorkerVerb.ApplyWorkload, "1.1", cancellationToken: stop.Token));
        await _scene.AllServed;
        _scene.Engine.OnStep = null;
        Assert.Equal("1.1", (await StatusAsync()).State.Trial!.Version);

        var ended = Assert.Single((await AskAsync(WorkerVerb.GiveUpWorkload)).Outcomes!);

        Assert.Equal((ReleaseTransaction.Reverted, "a test"), (ended.Event.Outcome, ended.Event.Detail));
        Assert.Empty((await AskAsync(WorkerVerb.ResumeWorkloads, workload: null)).Outcomes!);
        Assert.Equal("1.0", (await StatusAsync()).State.Current);
    }

    [Fact]
    public async Task AnImageThatAnotherWorkloadHas_Stays()
    {
        await PublishAsync("1.0", "till");
        await AskAsync(WorkerVerb.FetchWorkload, "1.0", workload: "till");
        await AskAsync(WorkerVerb.ApplyWorkload, "1.0", workload: "till");
        var shared = Assert.Single(_scene.Engine.Images);

        foreach (var version in new[] { "1.0", "1.1", "1.2" })
        {
            await PublishAsync(version);
            await BringAsync(version);
        }

        Assert.Equal(3, _scene.Engine.Images.Count); // of 1.2, of 1.1 before it, and the other's
        Assert.Contains(shared, _scene.Engine.Images);
    }

    [Fact]
    public async Task WhatTheEngineRefuses_IsNotFetchedAgain()
    {
        await PublishAsync("1.0");
        _scene.Engine.Refused.Add("1.0");
        await AskAsync(WorkerVerb.FetchWorkload);
        await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.ApplyWorkload, "1.0"));

        var again = await AskAsync(WorkerVerb.FetchWorkload);

        Assert.Equal("present", again.Ways!["workload.tar"]);
        _scene.Engine.Refused.Clear();
        Assert.Equal(ReleaseTransaction.Applied, (await AskAsync(WorkerVerb.ApplyWorkload, "1.0")).Outcomes![0].Event.Outcome);
    }

    [Fact]
    public async Task AFetchThatFails_TakesNothingFromTheReleaseOnTrial()
    {
        await PublishAsync("1.0");
        await AskAsync(WorkerVerb.FetchWorkload);
        _scene.Engine.OnStep = step =>
        {
            if (step == "look") throw new EngineUnavailableException("it restarts");
        };
        await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.ApplyWorkload, "1.0"));
        Directory.Delete(Path.Combine(_scene.Publisher.Repository, "objects"), recursive: true);

        await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.FetchWorkload));

        _scene.Engine.OnStep = null;
        Assert.Equal(ReleaseTransaction.Applied, Assert.Single((await AskAsync(WorkerVerb.ResumeWorkloads, workload: null)).Outcomes!).Event.Outcome);
    }

    [Fact]
    public async Task GivenUp_IsRemembered_AlsoWhileTheEngineIsAway()
    {
        foreach (var version in new[] { "1.0", "1.1" }) await PublishAsync(version);
        await BringAsync("1.0");
        await AskAsync(WorkerVerb.FetchWorkload, "1.1");
        _scene.Engine.OnStep = step =>
        {
            if (step == "look") throw new EngineUnavailableException("it restarts");
        };
        await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.ApplyWorkload, "1.1"));

        await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.GiveUpWorkload));

        _scene.Engine.OnStep = null;
        Assert.Equal(ReleaseTransaction.Reverted, Assert.Single((await AskAsync(WorkerVerb.ResumeWorkloads, workload: null)).Outcomes!).Event.Outcome);
        Assert.Equal("1.0", (await StatusAsync()).State.Current);
    }

    [Fact]
    public async Task AWorkloadWhoseStateIsDamaged_HidesNoOther()
    {
        await PublishAsync("1.0");
        await BringAsync("1.0");
        var other = Directory.CreateDirectory(Path.Combine(_scene.WorkloadFolder, "till")).FullName;
        await File.WriteAllTextAsync(Path.Combine(other, "workload.json"), """{"format":99}""", Token);

        var listed = (await AskAsync(WorkerVerb.Workloads, workload: null)).Workloads!;

        Assert.Equal(["shop", "till"], listed.Select(workload => workload.Id));
        Assert.Contains("format 99", listed[1].Trouble, StringComparison.Ordinal);
        Assert.Empty((await AskAsync(WorkerVerb.ResumeWorkloads, workload: null)).Outcomes!);
    }

    [Fact]
    public async Task ABundleThatIsSent_IsFetched_AndAppliedLater()
    {
        await PublishAsync("1.0");
        await new OfflineExport(_scene.Publisher.Repository, "stable", null, _scene.Publisher.Time, "shop").WriteAsync(_scene.Publisher["shop.bundle"], null, Token);
        await using var bundle = File.OpenRead(_scene.Publisher["shop.bundle"]);

        var fetched = await AskAsync(WorkerVerb.FetchWorkload, workload: null, bundle: bundle);

        Assert.Equal(("shop", "1.0", "fetched"), (fetched.Workload, fetched.Version, fetched.Verdict));
        Assert.Equal(ReleaseTransaction.Applied, (await AskAsync(WorkerVerb.ApplyWorkload, "1.0")).Outcomes![0].Event.Outcome);
    }

    [Fact]
    public async Task WhatIsWrong_IsSaid()
    {
        await PublishAsync("1.0");

        async Task<string> RefusalAsync(WorkerVerb verb, string? workload, string? version = null) => (await Assert.ThrowsAsync<UserError>(() => AskAsync(verb, version, workload: workload))).Message;

        Assert.Contains("There is no workload other here", await RefusalAsync(WorkerVerb.RollBackWorkload, "other"), StringComparison.Ordinal);
        Assert.Contains("is no workload's id", await RefusalAsync(WorkerVerb.Workloads, "../update"), StringComparison.Ordinal);
        Assert.Contains("is no workload's id", await RefusalAsync(WorkerVerb.FetchWorkload, "../update"), StringComparison.Ordinal);
        Assert.Contains("has no workload other", await RefusalAsync(WorkerVerb.FetchWorkload, "other"), StringComparison.Ordinal);
        Assert.Contains("has no version 9", await RefusalAsync(WorkerVerb.FetchWorkload, "shop", "9"), StringComparison.Ordinal);
        await BringAsync("1.0");
        Assert.Contains("no release to go back to", await RefusalAsync(WorkerVerb.RollBackWorkload, "shop"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnEngineThatIsAway_IsNoReasonToForgetAnything()
    {
        await PublishAsync("1.0");
        await AskAsync(WorkerVerb.FetchWorkload);
        _scene.Engine.OnStep = step =>
        {
            if (step == "look") throw new EngineUnavailableException("it restarts");
        };

        Assert.Contains("it restarts", (await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.ApplyWorkload, "1.0"))).Message, StringComparison.Ordinal);
        Assert.Equal("it restarts", (await StatusAsync()).Trouble);
        _scene.Engine.OnStep = null;

        Assert.Equal(ReleaseTransaction.Applied, Assert.Single((await AskAsync(WorkerVerb.ResumeWorkloads, workload: null)).Outcomes!).Event.Outcome);
    }
}
