using Appliance.Core.Updates;
using Appliance.Supervisor.Credentials;
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
}
