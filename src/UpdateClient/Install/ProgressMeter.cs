namespace Appliance.UpdateClient.Install;

/// <summary>Turns bytes into progress: rate and time left, at most a few times a second.</summary>
internal sealed class ProgressMeter(IProgress<UpdateProgress>? progress, TimeProvider time, long total, Func<long> downloaded)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Lock _lock = new();
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _shown = -Pause;
    private TimeSpan _phaseStart, _writingTime;
    private long _phaseBase, _writtenBytes, _done, _shownDownloaded;
    private UpdatePhase _phase;

    /// <summary>Begins a phase, which has a rate of its own; that of writing goes on over all payloads.</summary>
    public void Begin(UpdatePhase phase)
    {
        lock (_lock)
        {
            if (phase == _phase && phase != UpdatePhase.Resuming) return;
            var now = time.GetElapsedTime(_start);
            if (_phase == UpdatePhase.Writing) (_writingTime, _writtenBytes) = (now - _phaseStart, _done - _phaseBase);
            (_phase, _phaseStart, _phaseBase) = phase == UpdatePhase.Writing ? (phase, now - _writingTime, _done - _writtenBytes) : (phase, now, _done);
            Show();
        }
    }

    /// <summary>So many bytes of all payloads are done.</summary>
    public void Report(long done)
    {
        lock (_lock)
        {
            _done = done;
            if (time.GetElapsedTime(_start) - _shown >= Pause) Show();
        }
    }

    /// <summary>Shows what has been fetched meanwhile: over a slow link nothing is written for a while, and yet it goes on.</summary>
    public void Tick()
    {
        lock (_lock)
        {
            if (downloaded() != _shownDownloaded) Show();
        }
    }

    private void Show()
    {
        var now = time.GetElapsedTime(_start);
        (_shown, _shownDownloaded) = (now, downloaded());
        var rate = (_done - _phaseBase) / Math.Max((now - _phaseStart).TotalSeconds, 0.001);
        progress?.Report(new UpdateProgress(_phase, _done, total, _shownDownloaded, (long)rate, rate < 1 ? null : TimeSpan.FromSeconds((total - _done) / rate)));
    }
}
