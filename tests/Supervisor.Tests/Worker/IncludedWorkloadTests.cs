using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using UpdateClient.Tests.Workloads;

namespace Supervisor.Tests.Worker;

/// <summary>Releases that an image brings come and go with it; only the engine is a model.</summary>
public sealed class IncludedWorkloadTests : IAsyncDisposable
{
    private readonly WorkerScene _scene = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    private Task<WorkerResult> AskAsync(WorkerVerb verb, string? workload = null, bool force = false) => _scene.Client.RunAsync(new WorkerRequest { Verb = verb, Force = force, Workload = verb == WorkerVerb.ApplyIncluded ? workload ?? "shop" : workload, Source = _scene.Publisher.Repository, Version = verb == WorkerVerb.ApplyWorkload ? "1.0" : null }, null, null, Token);

    private async Task<WorkloadStatus> StatusAsync() => Assert.Single((await AskAsync(WorkerVerb.Workloads)).Workloads!);

    /// <summary>Another image runs: with this version of the workload, or without it.</summary>
    private async Task BootAsync(string? version)
    {
        await _scene.AllServed;
        if (version is null) Directory.Delete(Path.Join(_scene.Disk.Root, WorkloadRelease.ImageFolder), recursive: true);
        else await _scene.IncludeAsync(version);
    }

    private async Task<ReleaseEvent> ApplyAsync() => Assert.Single((await AskAsync(WorkerVerb.ApplyIncluded)).Outcomes!).Event;

    [Fact]
    public async Task ARelease_IsAppliedOnce_AndIsNobodyElses()
    {
        await BootAsync("1.0");
        Assert.Equal(("1.0", null), ((await StatusAsync()).Included, (await StatusAsync()).State.Current));

        Assert.Equal((ReleaseTransaction.Applied, "1.0"), (await ApplyAsync()) is var ended ? (ended.Outcome, ended.Version) : default);

        Assert.Empty((await AskAsync(WorkerVerb.ApplyIncluded)).Outcomes!);
        Assert.Equal("1.0", (await StatusAsync()).State.Current);
        Assert.Single(_scene.Engine.Images);
        Assert.Equal("ready", Assert.Single((await AskAsync(WorkerVerb.WorkloadHealth)).Workloads!).Objects![0].State);
        await _scene.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_scene.Publisher, "2.0"));
        foreach (var verb in new[] { WorkerVerb.CheckWorkload, WorkerVerb.FetchWorkload, WorkerVerb.RollBackWorkload, WorkerVerb.RemoveWorkload })
            Assert.Contains("belongs to the image", (await Assert.ThrowsAsync<UserError>(() => AskAsync(verb, "shop"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AReleaseThatFails_GivesWayToTheOneBefore_WhichTheImageBeforeBringsToo()
    {
        await BootAsync("1.0");
        await ApplyAsync();
        await BootAsync("1.1");
        _scene.Engine.Readiness = version => version == "1.1" ? Readiness.Failed("it crashes") : Readiness.Ready("");

        Assert.Equal(ReleaseTransaction.Reverted, (await ApplyAsync()).Outcome);
        Assert.Equal(("1.1", "1.0"), ((await StatusAsync()).Included, (await StatusAsync()).State.Current));

        await BootAsync("1.0");
        Assert.Empty((await AskAsync(WorkerVerb.ApplyIncluded)).Outcomes!);
        // The same image again, mended elsewhere: what was not kept is tried.
        _scene.Engine.Readiness = _ => Readiness.Ready("");
        await BootAsync("1.1");
        Assert.Equal(ReleaseTransaction.Applied, (await ApplyAsync()).Outcome);
    }

    [Fact]
    public async Task AnImageThatIsLeftForAnotherReason_TakesItsReleaseAlong()
    {
        await BootAsync("1.0");
        await ApplyAsync();
        await BootAsync("1.1");
        await ApplyAsync();

        await BootAsync("1.0");

        Assert.Equal((ReleaseTransaction.Applied, "1.0"), (await ApplyAsync()) is var ended ? (ended.Outcome, ended.Version) : default);
        Assert.Equal("1.0", _scene.Engine.Objects["ConfigMap words"]);
    }

    [Fact]
    public async Task AnImageThatBringsItNoLonger_TakesItAway_ButNoneOfTheChannel()
    {
        await _scene.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_scene.Publisher, "1.0", "till"));
        await AskAsync(WorkerVerb.FetchWorkload, "till");
        await AskAsync(WorkerVerb.ApplyWorkload, "till");
        await BootAsync("1.0");
        await ApplyAsync();

        await BootAsync(null);

        Assert.Equal(ReleaseTransaction.Removed, (await ApplyAsync()).Outcome);
        Assert.Equal("till", (await StatusAsync()).Id);
    }

    [Fact]
    public async Task ANewImageWithTheSameVersion_ButAnotherContent_IsApplied()
    {
        await BootAsync("1.0");
        await ApplyAsync();
        await _scene.IncludeAsync("1.0", layerSize: 96 << 10);

        Assert.Equal(ReleaseTransaction.Applied, (await ApplyAsync()).Outcome);

        Assert.Empty((await AskAsync(WorkerVerb.ApplyIncluded)).Outcomes!);
    }

    [Fact]
    public async Task WhatTheEngineHasLost_IsAppliedAgain()
    {
        await BootAsync("1.0");
        await ApplyAsync();
        _scene.Engine.Objects.Clear();
        _scene.Engine.Readiness = version => _scene.Engine.Objects.Count == 0 ? Readiness.Failed("it is not there") : Readiness.Ready("");

        Assert.Equal(ReleaseTransaction.Applied, (await ApplyAsync()).Outcome);

        Assert.Equal("1.0", _scene.Engine.Objects["ConfigMap words"]);
    }

    [Fact]
    public async Task WhatWasHereBefore_ComesBack_WhenTheImageGoes()
    {
        foreach (var version in new[] { "0.9", "1.0", "1.1" })
        {
            if (version == "0.9")
            {
                await _scene.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_scene.Publisher, version));
                await AskAsync(WorkerVerb.FetchWorkload, "shop");
                await _scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.ApplyWorkload, Workload = "shop", Version = version }, null, null, Token);
                continue;
            }
            await BootAsync(version);
            await ApplyAsync();
        }

        await BootAsync(null);

        Assert.Equal((ReleaseTransaction.Applied, "0.9"), (await ApplyAsync()) is var ended ? (ended.Outcome, ended.Version) : default);
        var state = (await StatusAsync()).State;
        Assert.Equal(("0.9", false, null), (state.Current, state.FromImage, state.Before));
        Assert.Equal("0.9", _scene.Engine.Objects["ConfigMap words"]);
        Assert.Empty((await AskAsync(WorkerVerb.ApplyIncluded)).Outcomes!);
    }

    [Fact]
    public async Task WhatWasHereBefore_Stays_WhenAReleaseOfTheChannelIsRefused()
    {
        foreach (var version in new[] { "0.9", "1.2" }) await _scene.Publisher.PublishAsync(await SomeWorkload.BuildAsync(_scene.Publisher, version));
        await BringAsync("0.9");
        foreach (var version in new[] { "1.0", "1.1" })
        {
            await BootAsync(version);
            await ApplyAsync();
        }
        await BootAsync(null);
        _scene.Engine.Refused.Add("1.2");

        await Assert.ThrowsAsync<UserError>(() => BringAsync("1.2"));

        Assert.Equal((ReleaseTransaction.Applied, "0.9"), (await ApplyAsync()) is var ended ? (ended.Outcome, ended.Version) : default);

        async Task BringAsync(string version)
        {
            foreach (var verb in new[] { WorkerVerb.FetchWorkload, WorkerVerb.ApplyWorkload })
                await _scene.Client.RunAsync(new WorkerRequest { Verb = verb, Workload = "shop", Version = version, Source = _scene.Publisher.Repository }, null, null, Token);
        }
    }

    [Fact]
    public async Task AReleaseThatTakesTheDeviceDown_IsTriedAgainOnlyByThoseWhoInsist()
    {
        await BootAsync("1.0");
        await ApplyAsync();
        await BootAsync("1.1");
        _scene.Engine.OnStep = step =>
        {
            if (step == "apply ConfigMap words") throw new IOException("the power goes");
        };
        for (var boot = 0; boot < 3; boot++) await Assert.ThrowsAsync<WorkerException>(() => AskAsync(WorkerVerb.ApplyIncluded));
        _scene.Engine.OnStep = null;

        var ended = await ApplyAsync();

        Assert.Equal(ReleaseTransaction.Reverted, ended.Outcome);
        Assert.StartsWith(ReleaseTransaction.Interrupted, ended.Detail, StringComparison.Ordinal);
        Assert.Contains("workloads apply shop", (await Assert.ThrowsAsync<UserError>(() => AskAsync(WorkerVerb.ApplyIncluded))).Hint, StringComparison.Ordinal);
        Assert.Equal(ReleaseTransaction.Applied, Assert.Single((await AskAsync(WorkerVerb.ApplyIncluded, force: true)).Outcomes!).Event.Outcome);
    }

    /// <summary>Cut before every step of the engine and every change on the disk, in the new image; then it goes on, or the old one boots again.</summary>
    [Theory]
    [InlineData("1.0", "1.1", "1.1", false)]
    [InlineData("1.0", "1.1", "1.0", false)]
    [InlineData("1.0", "1.0 anew", "1.0 anew", false)]
    [InlineData("1.0", "1.0 anew", "1.0", false)]
    [InlineData("own", "1.1", "1.1", false)]
    [InlineData("own", "1.1", "own", false)]
    [InlineData("1.0", "1.1", "1.0", true)]
    public async Task CutAnywhere_TheImageThatBootsHasItsRelease(string first, string second, string next, bool fails)
    {
        for (var cut = 1; ; cut++)
        {
            await using var scene = new WorkerScene();
            if (fails) scene.Engine.Readiness = version => version == "1.1" ? Readiness.Failed("it crashes") : Readiness.Ready("");
            await BootAsync(first);
            await BootAsync(second);
            var (steps, wasCut) = (0, false);
            scene.Engine.OnStep = step =>
            {
                if (wasCut || ++steps != cut) return;
                wasCut = true;
                throw new IOException("the power goes");
            };
            if (await Record.ExceptionAsync(ApplyAsync) is { } failure && !wasCut) throw failure;
            await scene.AllServed;
            scene.Engine.OnStep = null;
            await BootAsync(next);

            await ApplyAsync();

            var version = next == "own" ? "0.9" : next[..3];
            var state = new WorkloadStore(Path.Combine(scene.WorkloadFolder, "shop")).Read();
            Assert.Equal((version, null, next != "own"), (state.Current, state.Trial, state.FromImage));
            Assert.Equal(version, scene.Engine.Objects["ConfigMap words"]);
            if (next != "own") Assert.True((await scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.Workloads }, null, null, Token)).Workloads![0].IsTheImages);
            Assert.Contains((await new WorkloadStore(Path.Combine(scene.WorkloadFolder, "shop")).ReadReleaseAsync(version, Token)).Images[0].Pinned, scene.Engine.Images);
            if (!wasCut) return;

            Task ApplyAsync() => scene.Client.RunAsync(new WorkerRequest { Verb = WorkerVerb.ApplyIncluded, Workload = "shop" }, null, null, Token);

            async Task BootAsync(string image)
            {
                var folder = Path.Join(scene.Disk.Root, WorkloadRelease.ImageFolder);
                if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
                if (image != "own") await scene.IncludeAsync(image[..3], image.EndsWith("anew", StringComparison.Ordinal) ? 96 << 10 : 64 << 10);
                if (image != first || scene.Engine.Objects.Count > 0) return;
                if (image != "own") await ApplyAsync();
                else await BringOwnAsync();
            }

            async Task BringOwnAsync()
            {
                await scene.Publisher.PublishAsync(await SomeWorkload.BuildAsync(scene.Publisher, "0.9", layerSize: 64 << 10));
                foreach (var verb in new[] { WorkerVerb.FetchWorkload, WorkerVerb.ApplyWorkload })
                    await scene.Client.RunAsync(new WorkerRequest { Verb = verb, Workload = "shop", Version = "0.9", Source = scene.Publisher.Repository }, null, null, Token);
            }
        }
    }

    [Fact]
    public async Task ACopyThatWasInterrupted_IsMadeAgain()
    {
        await BootAsync("1.0");
        var leftover = Directory.CreateDirectory(Path.Combine(_scene.WorkloadFolder, "shop", ".fetch")).FullName;
        await File.WriteAllTextAsync(Path.Combine(leftover, WorkloadRelease.PayloadName), "half of", Token);

        Assert.Equal(ReleaseTransaction.Applied, (await ApplyAsync()).Outcome);
    }

    [Fact]
    public async Task AnEngineWithoutACluster_HasNoNodeToWaitFor() => Assert.Equal(ReadinessState.Ready, (await AskAsync(WorkerVerb.Node)).Node!.State);
}
