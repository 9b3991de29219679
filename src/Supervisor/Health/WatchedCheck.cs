namespace Appliance.Supervisor.Health;

/// <summary>A check while it is watched: its attempts, what they add up to, and how its state came about.</summary>
internal sealed class WatchedCheck(IHealthProbe probe, TimeProvider time) : IDisposable
{
    private const int LongestHistory = 20;

    private readonly SemaphoreSlim _kick = new(0, 1);
    private Task<ProbeResult>? _attempt;
    private int _successes, _failures;
    private bool _disposed;

    /// <summary>The check itself.</summary>
    public IHealthProbe Probe => probe;

    /// <summary>What the attempts so far add up to; null before the first.</summary>
    public ProbeResult? Result { get; private set; }

    /// <summary>Where it stands.</summary>
    public CheckStatus Status { get; private set; } = new() { Name = probe.Name, Kind = probe.Kind, Gate = probe.Gate, Gates = probe.Gate, State = CheckState.Waiting, Message = "not tried yet", Since = time.GetUtcNow(), History = [] };

    /// <summary>When it came into its state, by the clock that never jumps.</summary>
    public long Changed { get; private set; } = time.GetTimestamp();

    /// <summary>Asks for an attempt now.</summary>
    public void Kick()
    {
        lock (_kick)
        {
            if (!_disposed && _kick.CurrentCount == 0) _kick.Release();
        }
    }

    /// <summary>Waits until somebody asks for an attempt.</summary>
    public Task KickedAsync(CancellationToken cancellationToken) => _kick.WaitAsync(cancellationToken);

    /// <summary>
    /// Tries once and is back in time, whatever the probe does. An attempt that does not end is left behind, and no other is
    /// begun beside it: hanging ones must not pile up.
    /// </summary>
    public async Task<ProbeResult> TryAsync(CancellationToken stoppingToken)
    {
        if (_attempt is { IsCompleted: false }) return NoAnswer("an attempt has not ended yet");
        using var limit = new CancellationTokenSource(probe.Timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, limit.Token);
        var token = linked.Token;
        try
        {
            _attempt = Task.Run(() => probe.TryAsync(token), token);
            return await _attempt.WaitAsync(token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !stoppingToken.IsCancellationRequested)
        {
            return NoAnswer($"no answer within {probe.Timeout.TotalSeconds:0} s");
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            return ProbeResult.Fail(e.Message);
        }
    }

    /// <summary>Adds the result of an attempt: it takes so many in a row to turn a check.</summary>
    public void Take(ProbeResult result)
    {
        Status = Status with { Tried = time.GetUtcNow() };
        (_successes, _failures) = result.Passed ? (_successes + 1, 0) : (0, _failures + 1);
        Result = (result.Passed, Result is { Passed: true }) switch
        {
            (true, false) when _successes < probe.Successes => ProbeResult.Wait($"{result.Message} ({_successes} of {probe.Successes} times)"),
            (false, true) when _failures < probe.Failures => Result! with { Message = $"{result.Message} ({_failures} of {probe.Failures} times)" },
            _ => result,
        };
    }

    /// <summary>Judges it anew.</summary>
    public CheckStatus Judge(HealthBaseline? baseline)
    {
        var (state, gates, message) = RelativeGate.Judge(probe, Result, baseline);
        var next = Status with { Gates = gates, State = state, Message = message };
        if (state == Status.State) return Status = next;
        Changed = time.GetTimestamp();
        var now = time.GetUtcNow();
        return Status = next with { Since = now, History = [.. Status.History.TakeLast(LongestHistory - 1), new CheckChange(now, state, message)] };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_kick)
        {
            _disposed = true;
            _kick.Dispose();
        }
    }

    private ProbeResult NoAnswer(string message) => probe.SilenceIsOutage ? ProbeResult.Outage(message) : ProbeResult.Fail(message);
}
