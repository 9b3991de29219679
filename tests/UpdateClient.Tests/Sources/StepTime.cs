namespace UpdateClient.Tests.Sources;

/// <summary>A clock that stands still, and jumps when somebody waits: a wait takes no time and is remembered.</summary>
internal sealed class StepTime : TimeProvider
{
    private readonly Lock _lock = new();
    private long _ticks;

    public TimeSpan Elapsed
    {
        get { lock (_lock) return TimeSpan.FromTicks(_ticks); }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        lock (_lock) return _ticks;
    }

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + Elapsed;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        // Long limits never strike; short waits are over at once, and the clock has moved.
        if (dueTime > TimeSpan.FromMinutes(2) || dueTime < TimeSpan.Zero) return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, period);
        lock (_lock) _ticks += dueTime.Ticks;
        return System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
