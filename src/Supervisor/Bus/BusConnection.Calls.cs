using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Appliance.Supervisor.Bus.SdBusNative;

namespace Appliance.Supervisor.Bus;

/// <summary>Calling others and listening to them.</summary>
internal sealed unsafe partial class BusConnection
{
    /// <summary>Longest time a callee has for its answer.</summary>
    public TimeSpan CallLimit { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>Calls a method and gives its results.</summary>
    /// <exception cref="BusException">The callee's error, a time-out (<see cref="CallLimit"/>), or the end of the connection.</exception>
    public Task<IReadOnlyList<object>> CallAsync(string destination, string path, string @interface, string member, string signature = "", params object[] arguments)
    {
        var done = new TaskCompletionSource<IReadOnlyList<object>>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            nint message = 0;
            try
            {
                if (_dead is { } dead) throw dead;
                Check(sd_bus_message_new_method_call(_bus, out message, destination, path, @interface, member), "new_method_call");
                BusCodec.Append(message, signature, arguments);
                var call = new PendingCall(this, done);
                call.Handle = GCHandle.Alloc(call);
                var result = sd_bus_call_async(_bus, out call.Slot, message, &OnReply, GCHandle.ToIntPtr(call.Handle), (ulong)CallLimit.TotalMicroseconds);
                if (result < 0) call.Handle.Free();
                Check(result, "call_async");
                _pending.Add(call);
            }
            catch (Exception e)
            {
                done.TrySetException(e);
            }
            finally
            {
                if (message != 0) sd_bus_message_unref(message);
            }
        });
        return done.Task;
    }

    private Task<int> AddMatchAsync(string rule, Subscription subscription) => PostAsync(() =>
    {
        // The handle lives as long as the connection: nothing unsubscribes.
        var handle = GCHandle.ToIntPtr(GCHandle.Alloc(subscription));
        return Check(sd_bus_add_match_async(_bus, out _, rule, &OnSignal, &OnInstalled, handle), $"cannot follow {rule}");
    });

    private bool Forget(PendingCall call)
    {
        if (!_pending.Remove(call)) return false;
        sd_bus_slot_unref(call.Slot);
        call.Handle.Free();
        return true;
    }

    // An exception that left one of these methods would end the process without a word.

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnReply(nint message, nint userData, Error* _)
    {
        var call = (PendingCall)GCHandle.FromIntPtr(userData).Target!;
        try
        {
            if (!call.Bus.Forget(call)) return 0;
            var error = sd_bus_message_get_error(message);
            if (error != null) call.Done.TrySetException(new BusException(Text(error->Name), Text(error->Message)));
            else call.Done.TrySetResult(BusCodec.ReadAll(message));
        }
        catch (Exception e)
        {
            call.Done.TrySetException(e);
        }
        return 1;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnSignal(nint message, nint userData, Error* _)
    {
        try
        {
            var subscription = (Subscription)GCHandle.FromIntPtr(userData).Target!;
            subscription.Handler(new BusSignal(Text(sd_bus_message_get_path(message)), Text(sd_bus_message_get_interface(message)), Text(sd_bus_message_get_member(message)), BusCodec.ReadAll(message)));
        }
        catch (Exception e)
        {
            Serilog.Log.Error(e, "A handler of D-Bus signals failed");
        }
        return 0; // let other matches see it
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnInstalled(nint message, nint userData, Error* _)
    {
        var installed = ((Subscription)GCHandle.FromIntPtr(userData).Target!).Installed;
        var error = sd_bus_message_get_error(message);
        if (error != null) installed.TrySetException(new BusException(Text(error->Name), Text(error->Message)));
        else installed.TrySetResult();
        return 1;
    }

    private sealed class PendingCall(BusConnection bus, TaskCompletionSource<IReadOnlyList<object>> done)
    {
        public nint Slot;
        public GCHandle Handle;

        public BusConnection Bus { get; } = bus;
        public TaskCompletionSource<IReadOnlyList<object>> Done { get; } = done;
    }

    private sealed class Subscription(Action<BusSignal> handler)
    {
        public Action<BusSignal> Handler { get; } = handler;
        public TaskCompletionSource Installed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
