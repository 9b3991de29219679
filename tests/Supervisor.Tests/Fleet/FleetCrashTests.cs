using System.Globalization;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Updates;
using Appliance.UpdateServer.Fleet;
using UpdateServer.Tests;

namespace Supervisor.Tests.Fleet;

/// <summary>The power goes at every step of an assignment, of the engine's and of the agent's own: in the end it is done, and the server knows it.</summary>
public sealed class FleetCrashTests : IAsyncLifetime
{
    private ServerScene _server = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await ServerScene.StartAsync(DatabaseKind.Sqlite);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task WheneverThePowerGoes_TheAssignmentIsDone_AndReportedOnce()
    {
        var (steps, writes) = await RunAsync(0, 0, 0);
        Assert.InRange(steps, 15, 60);
        Assert.InRange(writes, 6, 40);
        for (var cut = 1; cut <= steps; cut++) await RunAsync(cut, cut, 0);
        for (var cut = 1; cut <= writes; cut++) await RunAsync(1000 + cut, 0, cut);
    }

    private async Task<(int Steps, int Writes)> RunAsync(int number, int cutAtStep, int cutAtWrite)
    {
        await using var device = new FleetDevice(_server.Address, machineId: number.ToString("x32", CultureInfo.InvariantCulture));
        device.World.CutAt = cutAtStep == 0 ? 0 : device.World.Steps + cutAtStep;
        device.CutAtWrite = cutAtWrite;
        var release = await _server.Database.WriteAsync(async context =>
        {
            var row = new Release { Kind = ReleaseKind.Image, Name = $"edge-{number}", Version = "1.1", Channel = "stable", CreatedAt = DateTimeOffset.UtcNow };
            context.Releases.Add(row);
            await context.SaveChangesAsync(Token);
            return row.Id;
        }, Token);
        await device.StartAsync();
        await device.Agent.JoinAsync(new JoinRequest { GatewayToken = ServerScene.GatewayToken });
        await Eventually.IsTrueAsync(() => device.Agent.Status.State == FleetState.Connected, "the connection");
        var action = await _server.AssignAsync(device.Id, release, forced: true);

        while (device.Work.Current is not { Step: AssignmentStep.Succeeded, IsReported: true })
        {
            await Eventually.IsTrueAsync(() => device.World.IsOff || device.Engine.State.Phase is EnginePhase.Probation || device.Work.Current is { Step: AssignmentStep.Installed } or { IsOver: true, IsReported: true }, $"something to happen (cut {cutAtStep}, {cutAtWrite}; {device.Step})");
            if (!device.World.IsOff && device.Engine.State.Phase == EnginePhase.Probation && await UnlessThePowerGoes(device.KeepAsync)) await Eventually.IsTrueAsync(() => device.World.IsOff || device.Work.Current is { IsReported: true }, "the report");
            else if (device.Work.Current is not { IsReported: true }) await RestartAsync(device);
            Assert.False(device.Work.Current is { Step: AssignmentStep.Failed or AssignmentStep.Canceled }, $"it failed (cut {cutAtStep}, {cutAtWrite}): {string.Join(' ', device.Work.Current?.Words ?? [])}");
        }

        var told = (await _server.GetAsync($"/api/v1/devices/{device.Id}/actions")).AsArray().Single()!;
        Assert.Equal((action, "finished"), ((long)told["id"]!, (string?)told["state"]));
        Assert.Single(told["messages"]!.AsArray(), message => ((string)message!).Contains(" finished", StringComparison.Ordinal));
        Assert.Equal("1.1", device.World.Version);
        Assert.Equal(cutAtStep + cutAtWrite > 0, device.World.WasCut);
        return (device.World.Steps, device.Writes);
    }

    /// <summary>The daemon comes up as often as it takes: the power may go while it does.</summary>
    private static async Task RestartAsync(FleetDevice device)
    {
        while (!await UnlessThePowerGoes(device.RestartAsync))
        {
            // again
        }
        while (device.Engine.State.Phase == EnginePhase.Downloading && device.Engine.Job is null && device.Engine.GoOn() is not null)
        {
            // As the schedule does.
        }
    }

    private static async Task<bool> UnlessThePowerGoes(Func<Task> work)
    {
        try
        {
            await work();
            return true;
        }
        catch (Updates.PowerCutException)
        {
            return false;
        }
    }
}
