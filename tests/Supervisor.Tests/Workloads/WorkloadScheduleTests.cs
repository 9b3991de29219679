using Appliance.Core.Updates;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;
using Supervisor.Tests.Health;
using Supervisor.Tests.Updates;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Workloads;

/// <summary>What a device does for its workloads without being asked; the worker is the real one, the engine a model.</summary>
public sealed class WorkloadScheduleTests : EngineScene, IAsyncDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);
    private readonly WorkerScene _worker = new();
    private readonly ManualTime _time = new();
    private WorkloadSchedule? _schedule;
    private WorkloadUpdates _workloads = null!;
    private int _tries;

    public async ValueTask DisposeAsync()
    {
        if (_schedule is not null) await _schedule.StopAsync(CancellationToken.None);
        _schedule?.Dispose();
        await _worker.DisposeAsync();
        Dispose();
    }

    private async Task StartAsync()
    {
        _worker.Engine.OnStep = step =>
        {
            if (step.StartsWith("apply ", StringComparison.Ordinal)) Interlocked.Increment(ref _tries);
        };
        _workloads = new WorkloadUpdates(Engine, _worker.Client);
        _schedule = new WorkloadSchedule(_workloads, Engine, new UpdateSettings(), new ImageIdentity("edge", "1.0", "vm", "podman", ""), _time);
        await _schedule.StartAsync(Token);
    }

    /// <summary>Lets time go on until a release was applied so often; how long it took at the most.</summary>
    private async Task<TimeSpan> UntilAsync(int tries)
    {
        var passed = TimeSpan.Zero;
        await Eventually.IsTrueAsync(async () =>
        {
            if (Volatile.Read(ref _tries) >= tries) return true;
            _time.Advance(Step);
            passed += Step;
            await Task.Delay(10, Token);
            return false;
        }, $"try {tries}");
        return passed;
    }

    private async Task UntilAppliedAsync()
    {
        await UntilAsync(1);
        await Eventually.IsTrueAsync(() => _workloads.Known is [{ IsTheImages: true }], "the image's release");
    }

    /// <summary>Lets time go on, and the schedule do what it then does.</summary>
    private async Task PassAsync(int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            _time.Advance(Step);
            await Task.Delay(5, Token);
        }
    }

    [Fact]
    public async Task WhatTheImageBrings_IsApplied_AndNotAgain()
    {
        await _worker.IncludeAsync("1.0");

        await StartAsync();

        await UntilAppliedAsync();
        Assert.Equal("1.0", _workloads.Known[0].State.Current);
        await PassAsync(steps: 30);
        Assert.Equal(1, _tries);
    }

    [Fact]
    public async Task WhatTheImageBrings_AndFails_IsTriedEverMoreSeldom_UntilItIsReady()
    {
        await _worker.IncludeAsync("1.0");
        _worker.Engine.Readiness = _ => Readiness.Failed("it crashes");
        await StartAsync();
        await UntilAsync(1);

        Assert.InRange(await UntilAsync(2), TimeSpan.FromSeconds(30), TimeSpan.MaxValue);
        Assert.InRange(await UntilAsync(3), TimeSpan.FromSeconds(60), TimeSpan.MaxValue);

        _worker.Engine.Readiness = _ => Readiness.Ready("");
        await UntilAsync(4);
        await Eventually.IsTrueAsync(() => _workloads.Known is [{ IsTheImages: true }], "the image's release");
    }

    [Fact]
    public async Task OnTrial_AReleaseThatWasTakenBack_IsTheVerdict()
    {
        await _worker.IncludeAsync("1.0");
        _worker.Engine.Readiness = _ => Readiness.Failed("it crashes");
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        Assert.Equal(EnginePhase.Probation, Engine.State.Phase);

        await StartAsync();
        await UntilAsync(1);
        await Eventually.IsTrueAsync(() => _workloads.IsSettled("shop"), "the verdict");

        await PassAsync(steps: 60);
        Assert.Equal(1, _tries);
    }

    [Fact]
    public async Task WhatAnImageBroughtBefore_Goes()
    {
        await _worker.IncludeAsync("1.0");
        await StartAsync();
        await UntilAppliedAsync();
        await _schedule!.StopAsync(Token);
        Directory.Delete(Path.Join(_worker.Disk.Root, Appliance.Core.Workloads.WorkloadRelease.ImageFolder), recursive: true);

        await StartAsync();

        await Eventually.IsTrueAsync(() =>
        {
            _time.Advance(Step);
            return _workloads.Known.Count == 0 && _worker.Engine.Objects.Count == 0;
        }, "the end of it");
    }
}
