using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Updates;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Service;

/// <summary>Reads what methods of the bus take: options (a{sv}) and descriptors.</summary>
internal static class BusRequest
{
    /// <summary>Who asks on the bus, where nothing else is said.</summary>
    public const string Operator = "an operator";

    /// <summary>The options by name.</summary>
    public static IEnumerable<(string Name, object Value)> Options(object options) =>
        ((Dictionary<object, object>)options).Select(option => ((string)option.Key, ((Variant)option.Value).Value));

    /// <summary>Begins a job that reads a descriptor and closes it; it is closed here when none begins.</summary>
    public static UpdateJob WithStream(SafeFileHandle descriptor, Func<Stream, UpdateJob> begin)
    {
        var stream = new FileStream(descriptor, FileAccess.Read, bufferSize: 0);
        try
        {
            return begin(stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>A text; null for an empty one.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static string? Text(string name, object value) =>
        value is string text ? (text.Length > 0 ? text : null) : throw new UserError($"The option {name} takes text (D-Bus type s).");

    /// <summary>A yes or no.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static bool Flag(string name, object value) => value is bool flag ? flag : throw new UserError($"The option {name} takes a yes or no (D-Bus type b).");
}
