using System.Globalization;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Updates;
using Appliance.UpdateServer.Fleet;
using Core.Tests.Access;
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

    /// <summary>The power goes at every write of the membership, until the device has its first certificate. Each begins with what lets a device in once; nobody comes to help.</summary>
    [Theory]
    [InlineData("enrolment token", 10)]
    [InlineData("token", 8)]
    [InlineData("factory's certificate", 8)]
    public async Task WheneverThePowerGoes_OnTheWayToItsCertificate_TheDeviceComesBackByItself(string by, int steps)
    {
        using var factory = new SomeAuthority("factory");
        var authority = Path.GetTempFileName();
        await File.WriteAllTextAsync(authority, factory.Pem, Token);
        await using var server = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true, factory: authority);
        var trust = server.Trust();
        Assert.Equal(steps, await JoinAsync(0));
        await Task.WhenAll(Enumerable.Range(1, steps).Select(JoinAsync));
        File.Delete(authority);

        async Task<int> JoinAsync(int cut)
        {
            await using var device = new FleetDevice(server.Address, machineId: (5000 + cut).ToString("x32", CultureInfo.InvariantCulture)) { CutAtMembershipWrite = cut };
            var request = new JoinRequest { Server = server.Address.ToString(), Trust = trust };
            request = by switch
            {
                "token" => request with { Token = (string)(await server.PostAsync("/api/v1/devices", new { id = device.Id }))["token"]! },
                "enrolment token" => request with { EnrolmentToken = (string)(await server.PostAsync("/api/v1/enrolment-tokens", new { name = $"cut {cut}", uses = 1 }))["value"]! },
                _ => request with { Certificate = factory.Make($"serial-{cut}") },
            };
            await device.StartAsync();
            if (!await UnlessThePowerGoes(() => device.Agent.JoinAsync(request)) && !device.Membership.Exists)
            {
                // Whoever joins it sees that it has not.
                await RestartAsync(device);
                await device.Agent.JoinAsync(request);
            }
            if (cut > 0)
            {
                await Eventually.IsTrueAsync(() => device.World.WasCut, $"the cut ({by}, {cut})");
                await RestartAsync(device);
            }
            await Eventually.IsTrueAsync(() => device.Agent.Status is { State: FleetState.Connected } status && status.CertificateUntil < DateTimeOffset.UtcNow.AddDays(31), $"the certificate ({by}, {cut}: {device.Agent.Status})");
            var kept = (await device.Membership.ReadAsync(Token))!;
            Assert.Equal((null, null, false), (kept.Token, kept.Next, kept.IsFactorys));
            return device.MembershipWrites;
        }
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
