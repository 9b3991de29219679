using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Appliance.Supervisor.Bus.SdBusNative;

namespace Appliance.Supervisor.Bus;

/// <summary>
/// Writes and reads message bodies by signature, without reflection. Numbers, booleans, strings, <see cref="ObjectPath"/>,
/// <see cref="Variant"/> and <see cref="SafeFileHandle"/> (a descriptor of the reader's own) are themselves; arrays are lists, dictionaries <c>Dictionary&lt;object, object&gt;</c>, structs <c>object[]</c>.
/// </summary>
internal static unsafe class BusCodec
{
    private const int DuplicateCloseOnExec = 1030; // F_DUPFD_CLOEXEC

    /// <summary>Appends one value for each complete type of the signature.</summary>
    public static void Append(nint message, string signature, IReadOnlyList<object> values)
    {
        var next = 0;
        for (var i = 0; i < signature.Length;)
        {
            var length = TypeLength(signature, i);
            Write(message, signature.AsSpan(i, length), values[next++]);
            i += length;
        }
        if (next != values.Count) throw new ArgumentException($"signature {signature} takes {next} values, {values.Count} given", nameof(values));
    }

    /// <summary>Reads every value of the body.</summary>
    public static List<object> ReadAll(nint message)
    {
        var values = new List<object>();
        while (Check(sd_bus_message_peek_type(message, out var type, out var contents), "peek_type") > 0) values.Add(Read(message, type, contents));
        return values;
    }

    private static int TypeLength(ReadOnlySpan<char> signature, int start)
    {
        var end = start;
        while (signature[end] == 'a') end++;
        if (signature[end] is not ('(' or '{')) return end + 1 - start;
        var depth = 0;
        do
        {
            if (signature[end] is '(' or '{') depth++;
            if (signature[end] is ')' or '}') depth--;
            end++;
        }
        while (depth > 0);
        return end - start;
    }

    private static void Write(nint message, ReadOnlySpan<char> type, object value)
    {
        switch (type[0])
        {
            case 'b': { var raw = (bool)value ? 1 : 0; Basic(message, 'b', &raw); break; }
            case 'y': { var raw = (byte)value; Basic(message, 'y', &raw); break; }
            case 'i': { var raw = (int)value; Basic(message, 'i', &raw); break; }
            case 'u': { var raw = (uint)value; Basic(message, 'u', &raw); break; }
            case 'x': { var raw = (long)value; Basic(message, 'x', &raw); break; }
            case 't': { var raw = (ulong)value; Basic(message, 't', &raw); break; }
            case 'd': { var raw = (double)value; Basic(message, 'd', &raw); break; }
            case 'h': { var raw = (int)((SafeFileHandle)value).DangerousGetHandle(); Basic(message, 'h', &raw); break; }
            case 's' or 'o' or 'g':
                // For text the value itself is the pointer, not a pointer to it.
                fixed (byte* text = Terminated(value is ObjectPath path ? path.Value : (string)value)) Basic(message, type[0], text);
                break;
            case 'v':
                var variant = (Variant)value;
                Within(message, 'v', variant.Signature, () => Write(message, variant.Signature, variant.Value));
                break;
            case 'a' when type[1] == '{':
                var pair = type[2..^1].ToString();
                Within(message, 'a', type[1..].ToString(), () =>
                {
                    foreach (var (key, item) in (IEnumerable<KeyValuePair<object, object>>)value)
                        Within(message, 'e', pair, () => { Write(message, pair.AsSpan(0, 1), key); Write(message, pair.AsSpan(1), item); });
                });
                break;
            case 'a':
                var element = type[1..].ToString();
                Within(message, 'a', element, () => { foreach (var item in (IEnumerable)value) Write(message, element, item!); });
                break;
            case '(':
                var members = type[1..^1].ToString();
                Within(message, 'r', members, () => Append(message, members, (object[])value));
                break;
            default:
                throw new NotSupportedException($"D-Bus type {type}");
        }
    }

    private static object Read(nint message, byte type, byte* contents)
    {
        switch ((char)type)
        {
            case 'b': { int raw; Basic(message, type, &raw); return raw != 0; }
            case 'y': { byte raw; Basic(message, type, &raw); return raw; }
            case 'n': { short raw; Basic(message, type, &raw); return raw; }
            case 'q': { ushort raw; Basic(message, type, &raw); return raw; }
            case 'i': { int raw; Basic(message, type, &raw); return raw; }
            case 'u': { uint raw; Basic(message, type, &raw); return raw; }
            case 'x': { long raw; Basic(message, type, &raw); return raw; }
            case 't': { ulong raw; Basic(message, type, &raw); return raw; }
            case 'd': { double raw; Basic(message, type, &raw); return raw; }
            case 'h': { int raw; Basic(message, type, &raw); return Duplicate(raw); }
            case 's' or 'g': { byte* raw; Basic(message, type, &raw); return Text(raw); }
            case 'o': { byte* raw; Basic(message, type, &raw); return new ObjectPath(Text(raw)); }
            case 'v' or 'a' or 'r': return ReadContainer(message, type, Text(contents), contents);
            default: throw new NotSupportedException($"D-Bus type {(char)type}");
        }
    }

    private static object ReadContainer(nint message, byte type, string contents, byte* rawContents)
    {
        Check(sd_bus_message_enter_container(message, type, rawContents), "enter_container");
        object value;
        if (type == 'a' && contents.StartsWith('{'))
        {
            var dictionary = new Dictionary<object, object>();
            while (Check(sd_bus_message_peek_type(message, out var entry, out var pair), "peek_type") > 0)
            {
                Check(sd_bus_message_enter_container(message, entry, pair), "enter_container");
                var both = ReadAll(message);
                dictionary[both[0]] = both[1];
                Check(sd_bus_message_exit_container(message), "exit_container");
            }
            value = dictionary;
        }
        else
        {
            var items = ReadAll(message);
            value = type switch { (byte)'v' => new Variant(contents, items[0]), (byte)'a' => items, _ => items.ToArray() };
        }
        Check(sd_bus_message_exit_container(message), "exit_container");
        return value;
    }

    private static void Within(nint message, char type, string contents, Action write)
    {
        fixed (byte* text = Terminated(contents)) Check(sd_bus_message_open_container(message, (byte)type, text), "open_container");
        write();
        Check(sd_bus_message_close_container(message), "close_container");
    }

    private static void Basic(nint message, char type, void* value) => Check(sd_bus_message_append_basic(message, (byte)type, value), "append_basic");

    private static void Basic(nint message, byte type, void* value)
    {
        if (Check(sd_bus_message_read_basic(message, type, value), "read_basic") == 0) throw new InvalidDataException("the message ends too early");
    }

    /// <summary>A descriptor in a message lives as long as the message.</summary>
    private static SafeFileHandle Duplicate(int descriptor)
    {
        var own = fcntl(descriptor, DuplicateCloseOnExec, 0);
        return own >= 0 ? new SafeFileHandle(own, ownsHandle: true) : throw new IOException($"cannot keep a descriptor: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private static byte[] Terminated(string text) => Encoding.UTF8.GetBytes(text + "\0");
}
