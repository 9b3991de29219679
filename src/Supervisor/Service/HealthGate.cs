using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Service;

/// <summary>The verb <c>wait-healthy</c>: waits on the bus for the supervisor's verdict. The boot's gate runs it.</summary>
internal static class HealthGate
{
    private const string Properties = "org.freedesktop.DBus.Properties";

    /// <summary>How long a supervisor is waited for that does not answer at all: it starts within 90 s or is started anew.</summary>
    public static readonly TimeSpan ArrivalLimit = TimeSpan.FromMinutes(10);

    /// <summary>Exit code 0 when the verdict is healthy, 1 when it is not or none came in time; the reasons are printed.</summary>
    /// <param name="busAddress">The bus, or null for the system's.</param>
    /// <param name="arrival">How long to wait for the supervisor's first answer.</param>
    /// <param name="limit">How long to wait for its verdict after that.</param>
    /// <param name="output">Where the verdict is printed.</param>
    public static async Task<int> WaitAsync(string? busAddress, TimeSpan arrival, TimeSpan limit, TextWriter output)
    {
        using var deadline = new CancellationTokenSource(arrival);
        using var changed = new SemaphoreSlim(1);
        var came = false;
        try
        {
            await using var bus = new BusConnection(busAddress);
            await bus.SubscribeAsync($"type='signal',path='{SupervisorObject.Path}',interface='{Properties}',member='PropertiesChanged'", _ => changed.Release());
            await bus.SubscribeAsync($"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SupervisorObject.Name}'", _ => changed.Release());
            while (true)
            {
                await changed.WaitAsync(deadline.Token);
                if (await ReadAsync(bus) is not { } verdict) continue;
                if (!came) deadline.CancelAfter(limit);
                came = true;
                if (verdict.Health == "starting") continue;
                await output.WriteLineAsync($"{verdict.Health}: {string.Join("; ", verdict.Reasons)}");
                return verdict.Health == "healthy" ? 0 : 1;
            }
        }
        catch (OperationCanceledException)
        {
            await output.WriteLineAsync(came ? $"no verdict within {limit.TotalSeconds:0} s" : $"no supervisor within {arrival.TotalSeconds:0} s");
            return 1;
        }
        catch (BusException e)
        {
            await output.WriteLineAsync($"the supervisor cannot be asked: {e.Message}");
            return 1;
        }
    }

    private static async Task<(string Health, IEnumerable<string> Reasons)?> ReadAsync(BusConnection bus)
    {
        try
        {
            var all = (Dictionary<object, object>)(await bus.CallAsync(SupervisorObject.Name, SupervisorObject.Path, Properties, "GetAll", "s", SupervisorObject.Name))[0];
            return ((string)((Variant)all["Health"]).Value, ((List<object>)((Variant)all["HealthReasons"]).Value).Cast<string>());
        }
        catch (BusException e) when (e.Name is "org.freedesktop.DBus.Error.ServiceUnknown" or "org.freedesktop.DBus.Error.NameHasNoOwner" or "org.freedesktop.DBus.Error.NoReply" or "org.freedesktop.DBus.Error.UnknownObject")
        {
            return null; // it is not there yet, or being started again: its name or its signal will wake us
        }
    }
}
