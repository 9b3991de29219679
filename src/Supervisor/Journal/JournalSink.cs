using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Display;

namespace Appliance.Supervisor.Journal;

/// <summary>Writes log events to the journal with their properties as fields (sd_journal_sendv), so that they can be filtered by them.</summary>
internal sealed unsafe partial class JournalSink : ILogEventSink
{
    /// <summary>Words as they are: a journal is read by people, and has the properties as fields.</summary>
    private static readonly MessageTemplateTextFormatter Words = new("{Message:l}", CultureInfo.InvariantCulture);

    /// <summary>True when standard output is the journal (systemd sets JOURNAL_STREAM).</summary>
    public static bool IsAvailable => Environment.GetEnvironmentVariable("JOURNAL_STREAM") is not null;

    /// <inheritdoc/>
    public void Emit(LogEvent logEvent)
    {
        var message = new StringWriter(CultureInfo.InvariantCulture);
        Words.Format(logEvent, message);
        var fields = new List<byte[]>
        {
            Field("MESSAGE", message + (logEvent.Exception is { } e ? "\n" + e : "")),
            Field("PRIORITY", Priority(logEvent.Level)),
            Field("SYSLOG_IDENTIFIER", "appliance-supervisor"),
            Field("MESSAGE_TEMPLATE", logEvent.MessageTemplate.Text),
        };
        foreach (var (name, value) in logEvent.Properties) fields.Add(Field(FieldName(name), value is ScalarValue { Value: string text } ? text : value.ToString()));
        Send(fields);
    }

    private static void Send(List<byte[]> fields)
    {
        var pins = fields.Select(field => GCHandle.Alloc(field, GCHandleType.Pinned)).ToArray();
        try
        {
            var vectors = stackalloc IoVector[fields.Count];
            for (var i = 0; i < fields.Count; i++) vectors[i] = new IoVector { Base = pins[i].AddrOfPinnedObject(), Length = (nuint)fields[i].Length };
            _ = sd_journal_sendv(vectors, fields.Count); // a full journal is no reason to fail
        }
        finally
        {
            foreach (var pin in pins) pin.Free();
        }
    }

    private static byte[] Field(string name, string value) => Encoding.UTF8.GetBytes($"{name}={value}");

    /// <summary>Journal fields are upper-case letters, digits and underscores, and do not begin with an underscore.</summary>
    private static string FieldName(string name) =>
        "APPLIANCE_" + string.Concat(name.Select((c, i) => i > 0 && char.IsAsciiLetterUpper(c) && char.IsAsciiLetterLower(name[i - 1]) ? $"_{c}" : char.IsAsciiLetterOrDigit(c) ? $"{char.ToUpperInvariant(c)}" : "_"));

    /// <summary>syslog(3) priorities.</summary>
    private static string Priority(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => "2",
        LogEventLevel.Error => "3",
        LogEventLevel.Warning => "4",
        LogEventLevel.Information => "6",
        _ => "7",
    };

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        public nint Base;
        public nuint Length;
    }

    [LibraryImport("libsystemd.so.0")]
    private static partial int sd_journal_sendv(IoVector* vectors, int count);
}
