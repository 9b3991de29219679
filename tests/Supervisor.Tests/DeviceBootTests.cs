using Appliance.Supervisor.Device;

namespace Supervisor.Tests;

public sealed class DeviceBootTests
{
    [Fact]
    public void TheJournalOfAFailedBoot_EndsWhereItWasGivenUp_NotWithItsShutdown()
    {
        var before = Enumerable.Range(0, 200).Select(number => $"line {number}").ToList();
        string[] end = ["10:00 echo[9]: appliance: this boot did not become healthy; rebooting", .. Enumerable.Repeat("Stopped something", 300)];

        var tail = DeviceBoot.Tail([.. before, .. end]);

        Assert.Equal([.. before[^79..], end[0]], tail);
        Assert.Equal(before[^80..], DeviceBoot.Tail(before));
    }
}
