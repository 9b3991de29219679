namespace Appliance.UpdateClient.Install;

/// <summary>Turns bytes into progress: rate and time left, at most a few times a second.</summary>
internal sealed class ProgressMeter(IProgress<UpdateProgress>? progress, TimeProvider time, long total, Func<long> downloaded)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _shown = -Pause;
    private TimeSpan _phaseStart;
    private long _phaseBase, _done;
    private UpdatePhase _phase;

    /// <summary>Begins a phase, which has a rate of its own.</summary>
    public void Begin(UpdatePhase phase)
    {
        if (phase == _phase && phase != UpdatePhase.Resuming) return;
        (_phase, _phaseStart, _phaseBase) = (phase, time.GetElapsedTime(_start), _done);
        Show();
    }

    /// <summary>So many bytes of all payloads are done.</summary>
    public void Report(long done)
    {
        _done = done;
        if (time.GetElapsedTime(_start) - _shown >= Pause) Show();
    }

    private void Show()
    {
        var now = time.GetElapsedTime(_start);
        _shown = now;
        var rate = (_done - _phaseBase) / Math.Max((now - _phaseStart).TotalSeconds, 0.001);
        progress?.Report(new UpdateProgress(_phase, _done, total, downloaded(), (long)rate, rate < 1 ? null : TimeSpan.FromSeconds((total - _done) / rate)));
    }
}
