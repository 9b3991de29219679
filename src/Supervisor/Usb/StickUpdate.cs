using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Control;
using Appliance.Supervisor.Service;
using Serilog;

namespace Appliance.Supervisor.Usb;

/// <summary>Brings what is on a stick to the supervisor, as anybody would who sends a bundle: <c>InstallStream</c> on the bus.</summary>
internal sealed class StickUpdate(BusConnection bus, TimeProvider time)
{
    private const string By = "USB stick";

    /// <summary>Reasons that the history keeps of one stick.</summary>
    private const int MostReasons = 5;

    /// <summary>Longer than any trial or download should take; whoever put the stick in has gone long before.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromHours(3), Pause = TimeSpan.FromSeconds(30);

    private readonly SupervisorClient _supervisor = new(bus);

    /// <summary>Installs the newest version in a folder; true when it is installed or there was nothing to do.</summary>
    /// <exception cref="UserError">The supervisor refused it, or is not there.</exception>
    public async Task<bool> RunAsync(string device, string folder, CancellationToken cancellationToken)
    {
        var bundles = await StickBundles.ReadAsync(folder, cancellationToken);
        if (bundles.Count == 0)
        {
            Log.Information("The USB stick {Device} has no bundle in its top folder", device);
            return true;
        }
        var choice = StickChoice.Of(bundles, StickDevice.Of(await WaitUntilFreeAsync(cancellationToken)));
        foreach (var reason in choice.Refused) Log.Information("The USB stick {Device}: {Reason}", device, reason);
        if (choice.Chosen is not { } chosen)
        {
            if (choice.IsCurrent) return true;
            Log.Warning("The USB stick {Device} brings no update", device);
            await _supervisor.CallAsync("NoteRefused", "ss", By, string.Join("; ", choice.Refused.Take(MostReasons)));
            return false;
        }
        Log.Information("The USB stick {Device} brings version {Version} in {Bundle}", device, chosen.Claims!.Version, chosen.Name);
        using var bundle = StickBundles.Open(chosen.Path);
        var job = await _supervisor.RunJobAsync("InstallStream", bundle, new Dictionary<object, object> { ["by"] = new Variant("s", By) }, _ => { }, cancellationToken);
        var done = (string?)job["state"] == "done";
        Log.Write(done ? Serilog.Events.LogEventLevel.Information : Serilog.Events.LogEventLevel.Warning, "The USB stick {Device}: {State}, {Message}", device, (string?)job["state"], (string?)job["message"]);
        return done;
    }

    /// <summary>Waits for a supervisor that could take a bundle: after a power cut it may be going on with another, or be on trial.</summary>
    private async Task<JsonObject> WaitUntilFreeAsync(CancellationToken cancellationToken)
    {
        using var changed = new SemaphoreSlim(0);
        await bus.SubscribeAsync($"type='signal',path='{SupervisorObject.Path}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'", _ => changed.Release());
        await bus.SubscribeAsync($"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SupervisorObject.Name}'", _ => changed.Release());
        var began = time.GetTimestamp();
        while (true)
        {
            var state = await TryReadAsync();
            if (state is not null && (string?)state["updateState"] is "idle" or "installed" && (string?)state["currentJob"] == "/") return state;
            if (time.GetElapsedTime(began) > Patience) throw new UserError(state is null ? "The supervisor does not run." : $"The supervisor is busy ({state["updateState"]}).", "Put the stick in again when it is not.");
            await changed.WaitAsync(Pause, cancellationToken);
            while (changed.CurrentCount > 0) await changed.WaitAsync(cancellationToken);
        }
    }

    private async Task<JsonObject?> TryReadAsync()
    {
        try
        {
            return await _supervisor.ReadAsync();
        }
        catch (UserError)
        {
            return null; // not there yet; its name will wake us
        }
    }
}
