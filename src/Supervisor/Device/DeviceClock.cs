using Appliance.Supervisor.Worker;

namespace Appliance.Supervisor.Device;

/// <summary>
/// The time as certificates go by it. A device without a clock battery starts in 1970; systemd puts the clock on to the image's date, or
/// to the last time that was saved (systemd(1), systemd-timesyncd(8)). A clock that is behind either all the same is not believed.
/// </summary>
/// <param name="root">Root of the image's files.</param>
/// <param name="time">The clock.</param>
internal sealed class DeviceClock(string root, TimeProvider time) : TimeProvider
{
    /// <summary>What systemd-timesyncd touches every minute, also without a network; and what the worker does when a look had a clock that was right.</summary>
    private static readonly string[] Marks = ["var/lib/systemd/timesync/clock", "var/lib/appliance/update/" + RepositoryAccess.KeptTimeName];

    /// <summary>Whether a time server has set the clock since the start, and it is not behind the image: only then can it tell that something has not begun.</summary>
    public bool IsSet => DeviceFacts.IsClockSet(root) && time.GetUtcNow() >= DeviceFacts.ReadBuilt(root);

    /// <inheritdoc/>
    public override long TimestampFrequency => time.TimestampFrequency;

    /// <summary>What the clock says; the image's date or the last time known when that is later.</summary>
    public override DateTimeOffset GetUtcNow()
    {
        var now = time.GetUtcNow();
        var built = DeviceFacts.ReadBuilt(root);
        if (built > now) now = built;
        // A time server knows better than the last time: that may have been of a clock that was ahead.
        if (DeviceFacts.IsClockSet(root)) return now;
        foreach (var path in Marks.Select(mark => Path.Join(root, mark)).Where(File.Exists))
            if (File.GetLastWriteTimeUtc(path) is var mark && mark > now) now = mark;
        return now;
    }

    /// <inheritdoc/>
    public override long GetTimestamp() => time.GetTimestamp();

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => time.CreateTimer(callback, state, dueTime, period);
}
