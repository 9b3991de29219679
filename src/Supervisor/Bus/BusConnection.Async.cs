namespace Appliance.Supervisor.Bus;

/// <summary>The members that wait; C# allows no await where the class is unsafe.</summary>
internal sealed partial class BusConnection
{
    /// <summary>
    /// Follows signals. When the task is done the match is installed and no later signal is missed: read the initial state
    /// after that. The handler runs on the bus thread and must be quick.
    /// </summary>
    public async Task SubscribeAsync(string rule, Action<BusSignal> handler)
    {
        var subscription = new Subscription(handler);
        await AddMatchAsync(rule, subscription);
        await subscription.Installed.Task;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _stop = true;
        Wake();
        await _closed.Task;
        _thread.Join();
        lock (_waking)
        {
            // Once: afterwards the number may be somebody else's descriptor.
            if (_wake >= 0) _ = SdBusNative.close(_wake);
            _wake = -1;
        }
    }
}
