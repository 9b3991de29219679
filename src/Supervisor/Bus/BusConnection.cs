using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using static Appliance.Supervisor.Bus.SdBusNative;

namespace Appliance.Supervisor.Bus;

/// <summary>
/// One D-Bus connection on one thread of its own. sd-bus is not thread safe (its reference counts are not atomic), so every
/// call, message and slot stays on that thread; others post closures to it.
/// </summary>
internal sealed unsafe partial class BusConnection : IAsyncDisposable
{
    private const int CloseOnExec = 0x80000, NonBlocking = 0x800, Interrupted = 4, PollIn = 1;
    private readonly nint _bus;
    private readonly Lock _waking = new();
    private int _wake;
    private readonly Thread _thread;
    private readonly ConcurrentQueue<Action> _posted = new();
    private readonly HashSet<PendingCall> _pending = [];
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _stop;
    private volatile BusException? _dead;

    /// <summary>Connects and says hello.</summary>
    /// <param name="address">A D-Bus address, or null for the system bus.</param>
    /// <exception cref="BusException">There is no bus at the address.</exception>
    public BusConnection(string? address = null)
    {
        if (address is null) Check(sd_bus_open_system(out _bus), "cannot connect to the system bus");
        else
        {
            Check(sd_bus_new(out _bus), "sd_bus_new");
            Check(sd_bus_set_address(_bus, address), $"bad bus address {address}");
            Check(sd_bus_set_bus_client(_bus, 1), "sd_bus_set_bus_client");
            Check(sd_bus_start(_bus), $"cannot connect to {address}");
        }
        int hello;
        // Waiting for the hello, sd-bus gives up when a signal comes; the runtime sends its threads some.
        while ((hello = sd_bus_get_unique_name(_bus, out _)) == -Interrupted) ;
        Check(hello, "the bus did not say hello");
        _wake = eventfd(0, CloseOnExec | NonBlocking);
        if (_wake < 0) throw new BusException("org.freedesktop.DBus.Error.NoMemory", Marshal.GetLastPInvokeErrorMessage());
        _thread = new Thread(Loop) { IsBackground = true, Name = "sd-bus" };
        _thread.Start();
    }

    /// <summary>Ends when the connection does, whoever ended it.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Takes a well-known name; there must be no other owner.</summary>
    public Task RequestNameAsync(string name) => PostAsync(() => Check(sd_bus_request_name(_bus, name, 0), $"cannot own {name}"));

    /// <summary>Tells the world that properties of an exported object have new values.</summary>
    public Task EmitPropertiesChangedAsync(string path, string @interface, IReadOnlyList<string> names) => PostAsync(() =>
    {
        var pointers = stackalloc byte*[names.Count + 1];
        for (var i = 0; i < names.Count; i++) pointers[i] = (byte*)Marshal.StringToCoTaskMemUTF8(names[i]);
        pointers[names.Count] = null;
        try
        {
            return Check(sd_bus_emit_properties_changed_strv(_bus, path, @interface, pointers), "emit_properties_changed");
        }
        finally
        {
            for (var i = 0; i < names.Count; i++) Marshal.FreeCoTaskMem((nint)pointers[i]);
        }
    });

    /// <summary>Sends a signal.</summary>
    public Task EmitSignalAsync(string path, string @interface, string member, string signature, params object[] arguments) => PostAsync(() =>
    {
        Check(sd_bus_message_new_signal(_bus, out var message, path, @interface, member), "new_signal");
        try
        {
            BusCodec.Append(message, signature, arguments);
            return Check(sd_bus_send(_bus, message, 0), "send");
        }
        finally
        {
            sd_bus_message_unref(message);
        }
    });

    /// <summary>Comes back once the bus thread has worked: proof that it is alive.</summary>
    public Task PingThreadAsync() => PostAsync(() => 0);

    private Task<T> PostAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                if (_dead is { } dead) throw dead;
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task;
    }

    private void Post(Action work)
    {
        _posted.Enqueue(work);
        Wake();
        if (_closed.Task.IsCompleted) RunPosted(); // raced with the end of the loop: what is posted now only fails
    }

    private void RunPosted()
    {
        while (_posted.TryDequeue(out var work)) work();
    }

    private void Wake()
    {
        ulong one = 1;
        lock (_waking)
        {
            if (_wake >= 0) write(_wake, &one, sizeof(ulong));
        }
    }

    private void Loop()
    {
        try
        {
            while (!_stop)
            {
                RunPosted();
                int more;
                do more = Check(sd_bus_process(_bus, 0), "the bus connection ended");
                while (more > 0 && _posted.IsEmpty);
                if (more == 0 && !_stop) WaitForEvents();
            }
            _dead = new BusException("org.freedesktop.DBus.Error.Disconnected", "the connection was closed");
        }
        catch (BusException e)
        {
            _dead = e;
        }
        foreach (var call in _pending.ToArray())
        {
            Forget(call);
            call.Done.TrySetException(_dead);
        }
        sd_bus_flush_close_unref(_bus);
        _closed.TrySetResult();
        RunPosted();
    }

    private void WaitForEvents()
    {
        var descriptors = stackalloc PollFd[2];
        descriptors[0] = new PollFd { Fd = Check(sd_bus_get_fd(_bus), "get_fd"), Events = (short)Check(sd_bus_get_events(_bus), "get_events") };
        descriptors[1] = new PollFd { Fd = _wake, Events = PollIn };
        Check(sd_bus_get_timeout(_bus, out var deadline), "get_timeout");
        var now = (long)Stopwatch.GetElapsedTime(0, Stopwatch.GetTimestamp()).TotalMicroseconds;
        var wait = deadline == ulong.MaxValue ? -1 : (int)Math.Clamp(((long)deadline - now + 999) / 1000, 0, int.MaxValue);
        if (poll(descriptors, 2, wait) < 0 && Marshal.GetLastPInvokeError() != Interrupted)
            throw new BusException("org.freedesktop.DBus.Error.Failed", $"poll: {Marshal.GetLastPInvokeErrorMessage()}");
        if ((descriptors[1].ReturnedEvents & PollIn) == 0) return;
        ulong count;
        SdBusNative.read(_wake, &count, sizeof(ulong));
    }
}
