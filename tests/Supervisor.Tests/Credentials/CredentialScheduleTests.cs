using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Updates;
using Supervisor.Tests.Fleet;
using Supervisor.Tests.Health;

namespace Supervisor.Tests.Credentials;

public sealed class CredentialScheduleTests
{
    /// <summary>A background service that ends with an error ends the host.</summary>
    [Fact]
    public async Task WhatNobodyThoughtOf_IsNoReasonToEnd_AndIsTriedAgain()
    {
        await using var device = new FleetDevice(new Uri("http://127.0.0.1:9/"));
        await device.StartAsync();
        var (time, looks) = (new ManualTime(), 0);
        device.OnCredentials = () =>
        {
            Interlocked.Increment(ref looks);
            throw new IOException("No space left on device");
        };
        using var schedule = new CredentialSchedule(device.Desk, device.Engine, new UpdateSettings(), time);
        await schedule.StartAsync(TestContext.Current.CancellationToken);

        await Eventually.IsTrueAsync(() => Volatile.Read(ref looks) >= 2, "the first look, after what was interrupted");
        await Eventually.IsTrueAsync(() =>
        {
            time.Advance(TimeSpan.FromMinutes(10));
            return Volatile.Read(ref looks) >= 3;
        }, "the next look");
        Assert.False(schedule.ExecuteTask!.IsCompleted);
        await schedule.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task WhileARotationIsGoneOnWith_NoJobBegins()
    {
        await using var device = new FleetDevice(new Uri("http://127.0.0.1:9/"));
        await device.StartAsync();
        UserError? refused = null;
        device.OnCredentials = () => refused = Assert.Throws<UserError>(() => device.Engine.Check(new InstallRequest()));

        await device.Desk.ResumeAsync(TestContext.Current.CancellationToken);

        Assert.True(refused!.MayPass);
        Assert.Contains("is gone on with", refused.Message, StringComparison.Ordinal);
        await device.Engine.Check(new InstallRequest()).Work;
    }

    [Fact]
    public async Task WhatIsWrongWithTheSupervisorsOwn_KeepsNobodyFromTheWorkers()
    {
        await using var device = new FleetDevice(new Uri("http://127.0.0.1:9/"));
        await device.StartAsync();
        var record = Path.Combine(device.StateFolder, "rotations", "page-certificate", "rotation.json");
        Directory.CreateDirectory(Path.GetDirectoryName(record)!);
        await File.WriteAllTextAsync(record, """{"format":99}""", TestContext.Current.CancellationToken);
        var asked = 0;
        device.OnCredentials = () => asked++;

        await device.Desk.ResumeAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, asked);
    }
}
