using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Appliance.Supervisor.Bus.SdBusNative;

namespace Appliance.Supervisor.Bus;

/// <summary>Exporting objects.</summary>
internal sealed unsafe partial class BusConnection
{
    private const ulong PropertyEmitsChange = 1UL << 5; // SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

    /// <summary>
    /// Exports an interface at a path. Its methods are for privileged callers as far as sd-bus is concerned; the bus policy
    /// says who may call at all. Signals are listed for those who introspect; <see cref="EmitSignalAsync"/> sends them.
    /// </summary>
    /// <returns>What takes the interface away again, with <see cref="RemoveAsync"/>.</returns>
    public Task<BusExport> ExportAsync(string path, string @interface, IReadOnlyList<BusMethod> methods, IReadOnlyList<BusProperty> properties, IReadOnlyList<BusSignalShape>? signals = null) => PostAsync(() =>
    {
        var exported = new ExportedInterface(this, methods.ToDictionary(method => method.Name), properties.ToDictionary(property => property.Name));
        // sd-bus keeps all these pointers.
        var kept = new List<nint>();
        nint Keep(string text)
        {
            kept.Add(Marshal.StringToCoTaskMemUTF8(text));
            return kept[^1];
        }
        nint Names(IEnumerable<string> names) => Keep(string.Concat(names.Select(name => name + "\0")));
        var count = methods.Count + properties.Count + (signals?.Count ?? 0) + 2;
        var table = (VtableEntry*)NativeMemory.AllocZeroed((nuint)count, (nuint)sizeof(VtableEntry));
        var next = 0;
        table[next++] = new VtableEntry
        {
            TypeAndFlags = '<',
            Word0 = sizeof(VtableEntry),
            Word1 = 1,
            Word2 = NativeLibrary.GetExport(NativeLibrary.Load("libsystemd.so.0"), "sd_bus_object_vtable_format"),
        };
        foreach (var method in methods)
        {
            table[next++] = new VtableEntry
            {
                TypeAndFlags = 'M',
                Word0 = Keep(method.Name),
                Word1 = Keep(method.In),
                Word2 = Keep(method.Out),
                Word3 = (nint)(delegate* unmanaged[Cdecl]<nint, nint, Error*, int>)&OnMethod,
                Word5 = Names(method.ArgumentNames),
            };
        }
        foreach (var property in properties)
        {
            table[next++] = new VtableEntry
            {
                TypeAndFlags = 'P' | (property.EmitsChange ? PropertyEmitsChange << 8 : 0),
                Word0 = Keep(property.Name),
                Word1 = Keep(property.Signature),
                Word2 = (nint)(delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, nint, nint, Error*, int>)&OnGetProperty,
            };
        }
        foreach (var signal in signals ?? [])
            table[next++] = new VtableEntry { TypeAndFlags = 'S', Word0 = Keep(signal.Name), Word1 = Keep(signal.Signature), Word2 = Names(signal.ArgumentNames) };
        table[next] = new VtableEntry { TypeAndFlags = '>' };
        var handle = GCHandle.Alloc(exported);
        Check(sd_bus_add_object_vtable(_bus, out var slot, path, @interface, table, GCHandle.ToIntPtr(handle)), $"cannot export {@interface}");
        return new BusExport(slot, (nint)table, handle, kept);
    });

    /// <summary>Takes an exported interface away.</summary>
    public Task RemoveAsync(BusExport export) => PostAsync(() =>
    {
        sd_bus_slot_unref(export.Slot);
        export.Handle.Free();
        NativeMemory.Free((void*)export.Table);
        foreach (var text in export.Texts) Marshal.FreeCoTaskMem(text);
        return 0;
    });

    /// <summary>Makes a path an object manager (org.freedesktop.DBus.ObjectManager) of what is exported below it.</summary>
    public Task ManageObjectsAsync(string path) => PostAsync(() => Check(sd_bus_add_object_manager(_bus, out _, path), $"cannot manage the objects below {path}"));

    /// <summary>Tells an object manager's listeners that an object has come or is about to go.</summary>
    public Task AnnounceObjectAsync(string path, bool added) => PostAsync(() => Check(added ? sd_bus_emit_object_added(_bus, path) : sd_bus_emit_object_removed(_bus, path), $"cannot announce {path}"));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnMethod(nint call, nint userData, Error* error)
    {
        try
        {
            var exported = (ExportedInterface)GCHandle.FromIntPtr(userData).Target!;
            var method = exported.Methods[Text(sd_bus_message_get_member(call))];
            var arguments = BusCodec.ReadAll(call);
            if (method.HandleAsync is null) Answer(call, method.Out, method.Handle(arguments));
            else exported.Bus.AnswerLater(call, method, arguments);
            return 1;
        }
        catch (Exception e)
        {
            return SetError(error, e);
        }
    }

    private static void Answer(nint call, string signature, object[] results)
    {
        Check(sd_bus_message_new_method_return(call, out var reply), "new_method_return");
        try
        {
            BusCodec.Append(reply, signature, results);
            Check(sd_bus_send(0, reply, 0), "send");
        }
        finally
        {
            sd_bus_message_unref(reply);
        }
    }

    /// <summary>Keeps the call until its task is done; the answer is sent from the bus thread again.</summary>
    private void AnswerLater(nint call, BusMethod method, IReadOnlyList<object> arguments)
    {
        sd_bus_message_ref(call);
        Task<object[]> work;
        try
        {
            work = method.HandleAsync!(arguments);
        }
        catch (Exception e)
        {
            work = Task.FromException<object[]>(e);
        }
        work.ContinueWith(done => Post(() => Finish(call, method.Out, done)), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void Finish(nint call, string signature, Task<object[]> done)
    {
        if (_dead is not null) return; // there is nobody to answer, and the message went with the connection
        try
        {
            if (done.IsCompletedSuccessfully) Answer(call, signature, done.Result);
            else AnswerError(call, done.Exception?.InnerException ?? new OperationCanceledException("it was stopped"));
        }
        catch (Exception e)
        {
            Serilog.Log.Error(e, "A D-Bus call could not be answered");
        }
        finally
        {
            sd_bus_message_unref(call);
        }
    }

    private static void AnswerError(nint call, Exception e)
    {
        var error = default(Error);
        SetError(&error, e);
        Check(sd_bus_message_new_method_error(call, out var reply, &error), "new_method_error");
        sd_bus_error_free(&error);
        Check(sd_bus_send(0, reply, 0), "send");
        sd_bus_message_unref(reply);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnGetProperty(nint bus, byte* path, byte* @interface, byte* name, nint reply, nint userData, Error* error)
    {
        try
        {
            var property = ((ExportedInterface)GCHandle.FromIntPtr(userData).Target!).Properties[Text(name)];
            BusCodec.Append(reply, property.Signature, [property.Get()]); // sd-bus opens and closes the variant
            return 1;
        }
        catch (Exception e)
        {
            return SetError(error, e);
        }
    }

    private static int SetError(Error* error, Exception e) =>
        e is BusException known
            ? sd_bus_error_set(error, known.Name, known.Text)
            : sd_bus_error_set(error, "org.freedesktop.DBus.Error.Failed", e.Message);

    private sealed record ExportedInterface(BusConnection Bus, Dictionary<string, BusMethod> Methods, Dictionary<string, BusProperty> Properties);
}
