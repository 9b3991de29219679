using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;
using Appliance.Supervisor.Systemd;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Worker;
using Appliance.Supervisor.Workloads;
using Supervisor.Tests.Updates;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Health;

/// <summary>What the health gate learns of workloads through the real worker; only the engine is a model.</summary>
public sealed class WorkloadHealthTests : EngineScene, IAsyncDisposable
{
    private readonly WorkerScene _worker = new();
    private readonly PrivateBus _bus = new();
    private readonly DeviceTree _device = new();
    private BusConnection? _connection;
    private WorkloadUpdates _workloads = null!;

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        _bus.Dispose();
        _device.Dispose();
        await _worker.DisposeAsync();
        Dispose();
    }

    /// <summary>The probe of a device that has just booted.</summary>
    private WorkloadHealth Boot()
    {
        _workloads = new WorkloadUpdates(Engine, _worker.Client);
        _connection ??= new BusConnection(_bus.Address);
        return new WorkloadHealth(new UnitWorkloads(_device.Root, "podman", new Systemd1(_connection)), ["shop"], "1.1", () => _workloads);
    }

    private async Task ApplyAsync()
    {
        await _workloads.RefreshAsync(Token);
        await Record.ExceptionAsync(() => _workloads.ApplyIncluded("shop", "a test", force: false).Work);
    }

    [Fact]
    public async Task WhatTheImageBrings_HasToBeApplied_AndReady()
    {
        await _worker.IncludeAsync("1.0");
        var health = Boot();
        var before = await health.TryWorkloadsAsync(Token);
        Assert.Equal((ProbeOutcome.Waiting, "shop: what the image brings is not applied yet"), (before.Outcome, before.Message));

        await ApplyAsync();

        var after = await health.TryWorkloadsAsync(Token);
        Assert.Equal((ProbeOutcome.Passed, "podman has no container units; 1 objects of 1 workload ready"), (after.Outcome, after.Message));
        Assert.Equal(["shop: ConfigMap words"], after.Working);
        Assert.True((await health.TryNodeAsync(Token)).Passed);
    }

    [Fact]
    public async Task WhatTheImageBrings_AndIsNotKept_IsAFailureOfTheImage()
    {
        await _worker.IncludeAsync("1.0");
        Boot();
        await ApplyAsync();
        await _worker.IncludeAsync("1.1");
        _worker.Engine.Readiness = version => version == "1.1" ? Readiness.Failed("it crashes") : Readiness.Ready("");
        var health = Boot();

        await ApplyAsync();

        var result = await health.TryWorkloadsAsync(Token);
        Assert.Equal(ProbeOutcome.Failed, result.Outcome);
        Assert.StartsWith("shop: version 1.1 was not kept: ConfigMap words: it crashes", result.Message, StringComparison.Ordinal);
        Assert.Equal(["shop of 1.1"], result.Failing); // nothing that an image before could have had
        // A boot that has not tried it yet does not know.
        Assert.Equal(ProbeOutcome.Waiting, (await Boot().TryWorkloadsAsync(Token)).Outcome);
    }

    [Fact]
    public async Task WhatTheImageBrings_AndHasNoRoom_IsWaitedFor_AndSaysSo()
    {
        await _worker.IncludeAsync("1.0");
        _worker.Engine.Full = true;
        var health = Boot();

        await ApplyAsync();

        Assert.Equal((ProbeOutcome.Waiting, "shop: what the image brings is not applied yet: no room"), await health.TryWorkloadsAsync(Token) is var result ? (result.Outcome, result.Message) : default);
        _worker.Engine.Full = false;
        await ApplyAsync();
        Assert.True((await health.TryWorkloadsAsync(Token)).Passed);
    }

    [Fact]
    public async Task AnObjectThatFailsLater_IsNamed()
    {
        await _worker.IncludeAsync("1.0");
        var health = Boot();
        await ApplyAsync();

        _worker.Engine.Readiness = _ => Readiness.Failed("it crashes");

        Assert.Equal(["shop: ConfigMap words"], (await health.TryWorkloadsAsync(Token)).Failing);
        _worker.Engine.Readiness = _ => Readiness.Waiting("it pulls itself together");
        var waiting = await health.TryWorkloadsAsync(Token);
        Assert.Equal((ProbeOutcome.Waiting, "shop: ConfigMap words"), (waiting.Outcome, Assert.Single(waiting.Unfinished)));
    }
}
