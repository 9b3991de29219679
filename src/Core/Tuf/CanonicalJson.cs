using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Appliance.Core.Tuf;

/// <summary>
/// OLPC canonical JSON, the form that TUF signs and hashes: no white space, members sorted by code point, only <c>"</c> and
/// <c>\</c> escaped, whole numbers only. It is not always JSON: control characters stand for themselves.
/// </summary>
public static class CanonicalJson
{
    /// <summary>Encodes a value that a strict parse has let through.</summary>
    /// <exception cref="FormatException">It holds a number that is not a whole one.</exception>
    public static byte[] Encode(JsonElement value)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        Write(output, value);
        return output.WrittenSpan.ToArray();
    }

    private static void Write(ArrayBufferWriter<byte> output, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(output, value);
                break;
            case JsonValueKind.Array:
                WriteArray(output, value);
                break;
            case JsonValueKind.String:
                WriteString(output, Encoding.UTF8.GetBytes(value.GetString()!));
                break;
            case JsonValueKind.Number:
                if (!value.TryGetInt64(out _)) throw new FormatException($"Canonical JSON has no number {value.GetRawText()}.");
                output.Write(JsonMarshal.GetRawUtf8Value(value));
                break;
            default:
                output.Write(JsonMarshal.GetRawUtf8Value(value)); // true, false, null
                break;
        }
    }

    private static void WriteObject(ArrayBufferWriter<byte> output, JsonElement value)
    {
        var members = new List<(byte[] Name, JsonElement Value)>();
        foreach (var member in value.EnumerateObject()) members.Add((Encoding.UTF8.GetBytes(member.Name), member.Value));
        // The order of UTF-8 bytes is the order of code points; that of UTF-16 units is not.
        members.Sort((a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        output.Write("{"u8);
        for (var i = 0; i < members.Count; i++)
        {
            if (i > 0) output.Write(","u8);
            WriteString(output, members[i].Name);
            output.Write(":"u8);
            Write(output, members[i].Value);
        }
        output.Write("}"u8);
    }

    private static void WriteArray(ArrayBufferWriter<byte> output, JsonElement value)
    {
        output.Write("["u8);
        var first = true;
        foreach (var item in value.EnumerateArray())
        {
            if (!first) output.Write(","u8);
            first = false;
            Write(output, item);
        }
        output.Write("]"u8);
    }

    private static void WriteString(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> utf8)
    {
        output.Write("\""u8);
        while (utf8.IndexOfAny((byte)'"', (byte)'\\') is >= 0 and var special)
        {
            output.Write(utf8[..special]);
            output.Write("\\"u8);
            output.Write(utf8.Slice(special, 1));
            utf8 = utf8[(special + 1)..];
        }
        output.Write(utf8);
        output.Write("\""u8);
    }
}
