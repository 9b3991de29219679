using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Appliance.Supervisor.Bus.SdBusNative;

namespace Appliance.Supervisor.Bus;

/// <summary>Exporting objects. What is exported stays for the life of the connection.</summary>
internal sealed unsafe partial class BusConnection
{
    private const ulong PropertyEmitsChange = 1UL << 5; // SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

    /// <summary>
    /// Exports an interface at a path. Its methods are for privileged callers as far as sd-bus is concerned; the bus policy
    /// says who may call at all.
    /// </summary>
    public Task ExportAsync(string path, string @interface, IReadOnlyList<BusMethod> methods, IReadOnlyList<BusProperty> properties) => PostAsync(() =>
    {
        var exported = new ExportedInterface(methods.ToDictionary(method => method.Name), properties.ToDictionary(property => property.Name));
        // sd-bus keeps all these pointers.
        nint Keep(string text) => Marshal.StringToCoTaskMemUTF8(text);
        nint Names(IEnumerable<string> names) => Keep(string.Concat(names.Select(name => name + "\0")));
        var count = methods.Count + properties.Count + 2;
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
                TypeAndFlags = 'P' | PropertyEmitsChange << 8,
                Word0 = Keep(property.Name),
                Word1 = Keep(property.Signature),
                Word2 = (nint)(delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, nint, nint, Error*, int>)&OnGetProperty,
            };
        }
        table[next] = new VtableEntry { TypeAndFlags = '>' };
        return Check(sd_bus_add_object_vtable(_bus, out _, path, @interface, table, GCHandle.ToIntPtr(GCHandle.Alloc(exported))), $"cannot export {@interface}");
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnMethod(nint call, nint userData, Error* error)
    {
        nint reply = 0;
        try
        {
            var method = ((ExportedInterface)GCHandle.FromIntPtr(userData).Target!).Methods[Text(sd_bus_message_get_member(call))];
            var results = method.Handle(BusCodec.ReadAll(call));
            Check(sd_bus_message_new_method_return(call, out reply), "new_method_return");
            BusCodec.Append(reply, method.Out, results);
            Check(sd_bus_send(0, reply, 0), "send");
            return 1;
        }
        catch (Exception e)
        {
            return SetError(error, e);
        }
        finally
        {
            if (reply != 0) sd_bus_message_unref(reply);
        }
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
            ? sd_bus_error_set(error, known.Name, known.Message)
            : sd_bus_error_set(error, "org.freedesktop.DBus.Error.Failed", e.Message);

    private sealed record ExportedInterface(Dictionary<string, BusMethod> Methods, Dictionary<string, BusProperty> Properties);
}
