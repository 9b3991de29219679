namespace Appliance.UpdateClient.Install;

/// <summary>The windows of an update, made when first needed. Who wants more than there are waits: that is what bounds the memory.</summary>
/// <param name="largestFrame">Bytes of the largest compressed frame of the update.</param>
internal sealed class WindowPool(int largestFrame) : IDisposable
{
    /// <summary>One window more than cores, so that one is filled while the others are checked; at most four, for the memory's sake.</summary>
    public static readonly int Most = Math.Clamp(Environment.ProcessorCount + 1, 2, 4);

    private readonly SemaphoreSlim _available = new(Most);
    private readonly Stack<Window> _free = new();

    /// <summary>A window; waits for one when all are in use.</summary>
    public async ValueTask<Window> RentAsync(CancellationToken cancellationToken)
    {
        await _available.WaitAsync(cancellationToken);
        lock (_free) return _free.TryPop(out var window) ? window : new Window(largestFrame);
    }

    /// <summary>Takes a window back.</summary>
    public void Return(Window window)
    {
        lock (_free) _free.Push(window);
        _available.Release();
    }

    public void Dispose()
    {
        foreach (var window in _free) window.Dispose();
        _available.Dispose();
    }
}
