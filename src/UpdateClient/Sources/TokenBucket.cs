namespace Appliance.UpdateClient.Sources;

/// <summary>Holds a flow of bytes to a rate: a bucket of half a second that fills steadily; who takes more than it holds waits.</summary>
internal sealed class TokenBucket(long bytesPerSecond, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly double _capacity = Math.Max(bytesPerSecond / 2.0, 1);
    private double _tokens = Math.Max(bytesPerSecond / 2.0, 1);
    private long _filled = time.GetTimestamp();

    /// <summary>Takes tokens for bytes that have come, and waits as long as the rate demands.</summary>
    public ValueTask TakeAsync(int bytes, CancellationToken cancellationToken)
    {
        TimeSpan wait;
        lock (_lock)
        {
            var now = time.GetTimestamp();
            _tokens = Math.Min(_capacity, _tokens + time.GetElapsedTime(_filled, now).TotalSeconds * bytesPerSecond) - bytes;
            _filled = now;
            if (_tokens >= 0) return ValueTask.CompletedTask;
            wait = TimeSpan.FromSeconds(-_tokens / bytesPerSecond);
        }
        return new ValueTask(Task.Delay(wait, time, cancellationToken));
    }
}
