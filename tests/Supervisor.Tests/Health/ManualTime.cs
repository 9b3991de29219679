namespace Supervisor.Tests.Health;

/// <summary>A clock that moves when the test says so, and rings what is due then.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<Alarm> _alarms = [];
    private long _ticks, _jumped;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(GetTimestamp() + Interlocked.Read(ref _jumped));

    /// <summary>Sets the clock; what measures time does not notice.</summary>
    public void JumpClock(TimeSpan by) => Interlocked.Add(ref _jumped, by.Ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var alarm = new Alarm(this, callback, state);
        alarm.Change(dueTime, period);
        lock (_lock) _alarms.Add(alarm);
        return alarm;
    }

    public void Advance(TimeSpan time)
    {
        Interlocked.Add(ref _ticks, time.Ticks);
        List<Alarm> alarms;
        lock (_lock) alarms = [.. _alarms];
        foreach (var alarm in alarms) alarm.RingIfDue();
    }

    private sealed class Alarm(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        private readonly Lock _lock = new();
        private long? _due;
        private TimeSpan _period;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (_lock) (_due, _period) = (dueTime < TimeSpan.Zero ? null : time.GetTimestamp() + dueTime.Ticks, period);
            return true;
        }

        public void RingIfDue()
        {
            lock (_lock)
            {
                if (_due is not { } due || due > time.GetTimestamp()) return;
                _due = _period > TimeSpan.Zero ? time.GetTimestamp() + _period.Ticks : null;
            }
            callback(state);
        }

        public void Dispose()
        {
            lock (time._lock) time._alarms.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
