using System.Diagnostics;
using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Service;

/// <summary>The verb <c>wait-healthy</c>: waits on the bus for the supervisor's verdict. The boot's gate runs it.</summary>
internal static class HealthGate
{
    private const string Properties = "org.freedesktop.DBus.Properties";

    /// <summary>How long a supervisor that is away is waited for: it starts within 90 s or is started anew.</summary>
    public static readonly TimeSpan AbsenceLimit = TimeSpan.FromMinutes(10);

    /// <summary>How often a supervisor may end without a verdict. Each time it begins anew, and so would the wait for its verdict.</summary>
    public const int MostEnds = 5;

    /// <summary>Exit code 0 when the verdict is healthy, 1 when it is not or none came in time; the reasons are printed.</summary>
    /// <param name="busAddress">The bus, or null for the system's.</param>
    /// <param name="absence">How long to wait for a supervisor that is not there.</param>
    /// <param name="limit">How long to wait for a verdict in all.</param>
    /// <param name="output">Where the verdict is printed.</param>
    public static async Task<int> WaitAsync(string? busAddress, TimeSpan absence, TimeSpan limit, TextWriter output)
    {
        using var changed = new SemaphoreSlim(1);
        var (clock, ends, seen) = (Stopwatch.StartNew(), 0, TimeSpan.Zero);
        var present = false;
        try
        {
            await using var bus = new BusConnection(busAddress);
            await bus.SubscribeAsync($"type='signal',path='{SupervisorObject.Path}',interface='{Properties}',member='PropertiesChanged'", _ => changed.Release());
            await bus.SubscribeAsync($"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SupervisorObject.Name}'", signal =>
            {
                if (signal.Arguments is [_, _, ""]) Interlocked.Increment(ref ends);
                changed.Release();
            });
            while (true)
            {
                var left = limit - clock.Elapsed;
                if (!present && absence - (clock.Elapsed - seen) is var patience && patience < left) left = patience;
                if (left <= TimeSpan.Zero || !await changed.WaitAsync(left))
                {
                    await output.WriteLineAsync(present || clock.Elapsed >= limit ? $"no verdict within {limit.TotalSeconds:0} s" : $"no supervisor for {absence.TotalSeconds:0} s");
                    return 1;
                }
                if (Volatile.Read(ref ends) > MostEnds)
                {
                    await output.WriteLineAsync($"the supervisor ended {ends} times without a verdict");
                    return 1;
                }
                var verdict = await ReadAsync(bus);
                if (present || verdict is not null) seen = clock.Elapsed;
                present = verdict is not null;
                if (verdict is not { Health: not "starting" } known) continue;
                await output.WriteLineAsync($"{known.Health}: {string.Join("; ", known.Reasons)}");
                return known.Health == "healthy" ? 0 : 1;
            }
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
