using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace Appliance.Supervisor.Bus;

/// <summary>libsystemd's sd-bus and the few libc calls its event loop needs. Only the forms without variable arguments.</summary>
internal static unsafe partial class SdBusNative
{
    private const string Systemd = "libsystemd.so.0";

    /// <summary><c>sd_bus_error</c>; zeroed before use.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Error
    {
        public byte* Name;
        public byte* Message;
        public int NeedFree;
    }

    /// <summary><c>sd_bus_vtable</c>: 56 bytes on every 64-bit ABI, a type byte with 56 flag bits and a union of six words.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct VtableEntry
    {
        public ulong TypeAndFlags;
        public nint Word0, Word1, Word2, Word3, Word4, Word5;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PollFd
    {
        public int Fd;
        public short Events;
        public short ReturnedEvents;
    }

    [LibraryImport(Systemd)] internal static partial int sd_bus_open_system(out nint bus);
    [LibraryImport(Systemd)] internal static partial int sd_bus_new(out nint bus);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)] internal static partial int sd_bus_set_address(nint bus, string address);
    [LibraryImport(Systemd)] internal static partial int sd_bus_set_bus_client(nint bus, int client);
    [LibraryImport(Systemd)] internal static partial int sd_bus_start(nint bus);
    [LibraryImport(Systemd)] internal static partial nint sd_bus_flush_close_unref(nint bus);
    [LibraryImport(Systemd)] internal static partial int sd_bus_get_fd(nint bus);
    [LibraryImport(Systemd)] internal static partial int sd_bus_get_events(nint bus);
    [LibraryImport(Systemd)] internal static partial int sd_bus_get_timeout(nint bus, out ulong monotonicMicroseconds);
    [LibraryImport(Systemd)] internal static partial int sd_bus_process(nint bus, nint message);
    [LibraryImport(Systemd)] internal static partial int sd_bus_get_unique_name(nint bus, out byte* name);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)] internal static partial int sd_bus_request_name(nint bus, string name, ulong flags);
    [LibraryImport(Systemd)] internal static partial nint sd_bus_slot_unref(nint slot);

    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int sd_bus_message_new_method_call(nint bus, out nint message, string destination, string path, string @interface, string member);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_new_method_return(nint call, out nint message);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_new_method_error(nint call, out nint message, Error* error);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int sd_bus_message_new_signal(nint bus, out nint message, string path, string @interface, string member);
    [LibraryImport(Systemd)] internal static partial int sd_bus_send(nint bus, nint message, nint cookie);
    [LibraryImport(Systemd)]
    internal static partial int sd_bus_call_async(nint bus, out nint slot, nint message, delegate* unmanaged[Cdecl]<nint, nint, Error*, int> callback, nint userData, ulong microseconds);
    [LibraryImport(Systemd)] internal static partial nint sd_bus_message_ref(nint message);
    [LibraryImport(Systemd)] internal static partial nint sd_bus_message_unref(nint message);
    [LibraryImport(Systemd)] internal static partial Error* sd_bus_message_get_error(nint message);
    [LibraryImport(Systemd)] internal static partial byte* sd_bus_message_get_member(nint message);
    [LibraryImport(Systemd)] internal static partial byte* sd_bus_message_get_interface(nint message);
    [LibraryImport(Systemd)] internal static partial byte* sd_bus_message_get_path(nint message);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_append_basic(nint message, byte type, void* value);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_open_container(nint message, byte type, byte* contents);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_close_container(nint message);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_peek_type(nint message, out byte type, out byte* contents);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_enter_container(nint message, byte type, byte* contents);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_exit_container(nint message);
    [LibraryImport(Systemd)] internal static partial int sd_bus_message_read_basic(nint message, byte type, void* value);

    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int sd_bus_add_match_async(nint bus, out nint slot, string rule, delegate* unmanaged[Cdecl]<nint, nint, Error*, int> callback, delegate* unmanaged[Cdecl]<nint, nint, Error*, int> installed, nint userData);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int sd_bus_add_object_vtable(nint bus, out nint slot, string path, string @interface, VtableEntry* vtable, nint userData);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int sd_bus_emit_properties_changed_strv(nint bus, string path, string @interface, byte** names);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)] internal static partial int sd_bus_add_object_manager(nint bus, out nint slot, string path);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)] internal static partial int sd_bus_emit_object_added(nint bus, string path);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)] internal static partial int sd_bus_emit_object_removed(nint bus, string path);
    [LibraryImport(Systemd, StringMarshalling = StringMarshalling.Utf8)] internal static partial int sd_bus_error_set(Error* error, string name, string message);
    [LibraryImport(Systemd)] internal static partial void sd_bus_error_free(Error* error);

    [LibraryImport("libc", SetLastError = true)] internal static partial int poll(PollFd* descriptors, ulong count, int milliseconds);
    [LibraryImport("libc", SetLastError = true)] internal static partial int eventfd(uint initial, int flags);
    [LibraryImport("libc", SetLastError = true)] internal static partial int fcntl(int descriptor, int command, int argument);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint read(int descriptor, void* buffer, nint size);
    [LibraryImport("libc", SetLastError = true)] internal static partial nint write(int descriptor, void* buffer, nint size);
    [LibraryImport("libc")] internal static partial int close(int descriptor);

    /// <summary>Copies a C string; empty for null.</summary>
    internal static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    /// <summary>Passes a result on, or throws for a negative errno.</summary>
    internal static int Check(int result, string call) =>
        result >= 0 ? result : throw new BusException("org.freedesktop.DBus.Error.Failed", $"{call}: {Marshal.GetPInvokeErrorMessage(-result)}");
}
