using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Worker;

namespace Appliance.Supervisor.Service;

/// <summary>Gives what goes wrong in a call its name on the bus.</summary>
internal static class BusErrors
{
    /// <summary>Something a person can mend.</summary>
    public const string Refused = "io.appliance.Supervisor1.Error.Refused";

    /// <summary>A failure of the device.</summary>
    public const string Failed = "io.appliance.Supervisor1.Error.Failed";

    /// <summary>Runs the work of a quick method.</summary>
    public static object[] Named(Func<object[]> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (Translate(e) is { } error)
        {
            throw error;
        }
    }

    /// <summary>Runs the work of a slow method.</summary>
    public static async Task<object[]> NamedAsync(Func<Task<object[]>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (Translate(e) is { } error)
        {
            throw error;
        }
    }

    private static BusException? Translate(Exception e) => e switch
    {
        UserError error => new BusException(Refused, error.ToString()),
        WorkerException => new BusException(Failed, e.Message),
        InvalidCastException or KeyNotFoundException => new BusException("org.freedesktop.DBus.Error.InvalidArgs", e.Message),
        _ => null,
    };
}
