using Appliance.Supervisor.Device;
using Core.Tests.Tuf;

namespace Supervisor.Tests.Device;

public sealed class DeviceClockTests : IDisposable
{
    private const string Saved = "var/lib/systemd/timesync/clock", Looked = "var/lib/appliance/update/latest-time";

    private static readonly DateTimeOffset Built = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly DeviceTree _tree = new();
    private readonly SettableTime _time = new(DateTimeOffset.UnixEpoch);
    private readonly DeviceClock _clock;

    public DeviceClockTests()
    {
        _clock = new DeviceClock(_tree.Root, _time);
        Date("usr/lib/os-release", Built);
    }

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void ItIsNeverBeforeTheImage_NorBeforeTheLastTimeKnown()
    {
        Assert.Equal(Built, _clock.GetUtcNow());
        Mark(Saved, Built.AddDays(-1)); // of the image before
        Assert.Equal(Built, _clock.GetUtcNow());
        Mark(Saved, Built.AddDays(30));
        Assert.Equal(Built.AddDays(30), _clock.GetUtcNow());
        Mark(Looked, Built.AddDays(40));
        Assert.Equal(Built.AddDays(40), _clock.GetUtcNow());
        _time.Now = Built.AddDays(50);
        Assert.Equal(Built.AddDays(50), _clock.GetUtcNow());
        _time.Now = Built.AddDays(45); // set back
        Assert.Equal(Built.AddDays(45), _clock.GetUtcNow());
        _time.Now = Built.AddDays(-45);
        Assert.Equal(Built.AddDays(40), _clock.GetUtcNow());
    }

    [Fact]
    public void ATimeServer_IsBelieved_ButNotAgainstTheImage()
    {
        Mark(Saved, Built.AddYears(50)); // of a clock that was ahead
        _time.Now = Built.AddDays(3);
        Assert.False(_clock.IsSet);
        Assert.Equal(Built.AddYears(50), _clock.GetUtcNow());

        _tree.Write("run/systemd/timesync/synchronized", "");
        Assert.True(_clock.IsSet);
        Assert.Equal(Built.AddDays(3), _clock.GetUtcNow());

        _time.Now = Built.AddDays(-3);
        Assert.False(_clock.IsSet);
        Assert.Equal(Built, _clock.GetUtcNow());
    }

    private void Mark(string path, DateTimeOffset time)
    {
        _tree.Write(path, "");
        Date(path, time);
    }

    private void Date(string path, DateTimeOffset time) => File.SetLastWriteTimeUtc(Path.Combine(_tree.Root, path), time.UtcDateTime);
}
