using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Service;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Control;

/// <summary>The supervisor as its clients on the device see it: over the bus.</summary>
internal sealed class SupervisorClient(BusConnection bus)
{
    private const string Properties = "org.freedesktop.DBus.Properties";

    /// <summary>All that the supervisor says of itself.</summary>
    public async Task<JsonObject> ReadAsync()
    {
        var state = await ReadAsync(SupervisorObject.Path, SupervisorObject.Name);
        CheckRows.Name(state);
        return state;
    }

    /// <summary>Calls a method.</summary>
    /// <exception cref="UserError">It was refused, or there is no supervisor.</exception>
    /// <exception cref="DeviceFailedException">The device could not do it.</exception>
    public async Task<IReadOnlyList<object>> CallAsync(string method, string signature = "", params object[] arguments)
    {
        try
        {
            return await bus.CallAsync(SupervisorObject.Name, SupervisorObject.Path, SupervisorObject.Name, method, signature, arguments);
        }
        catch (BusException e)
        {
            throw Translate(e);
        }
    }

    /// <summary>Begins a job, and shows it until it ends.</summary>
    /// <param name="method">The method.</param>
    /// <param name="first">Its first argument, a text or a descriptor, or null for none.</param>
    /// <param name="options">Its options, or null for none.</param>
    /// <param name="show">Gets the job with every change.</param>
    /// <param name="cancellationToken">Stops the job.</param>
    /// <returns>The job as it ended.</returns>
    public Task<JsonObject> RunJobAsync(string method, object? first, Dictionary<object, object>? options, Action<JsonObject> show, CancellationToken cancellationToken) =>
        RunJobAsync([.. new object?[] { first, options }.OfType<object>()], method, show, cancellationToken);

    /// <summary>Begins a job, and shows it until it ends.</summary>
    /// <param name="arguments">All that the method takes: texts, descriptors, options.</param>
    /// <param name="method">The method.</param>
    /// <param name="show">Gets the job with every change.</param>
    /// <param name="cancellationToken">Stops the job.</param>
    /// <returns>The job as it ended.</returns>
    public async Task<JsonObject> RunJobAsync(object[] arguments, string method, Action<JsonObject> show, CancellationToken cancellationToken)
    {
        using var changed = new SemaphoreSlim(0);
        // Before the call, so that no change is missed.
        await bus.SubscribeAsync($"type='signal',path_namespace='{SupervisorObject.Path}',interface='{Properties}',member='PropertiesChanged'", _ => changed.Release());
        await bus.SubscribeAsync($"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SupervisorObject.Name}'", _ => changed.Release());
        var reply = await CallAsync(method, string.Concat(arguments.Select(argument => argument switch { SafeFileHandle => "h", string => "s", _ => "a{sv}" })), arguments);
        var path = ((ObjectPath)reply[0]).Value;
        await using var cancel = cancellationToken.Register(() => _ = CallAsync("Cancel"));
        while (true)
        {
            var job = await ReadAsync(path, JobObjects.Interface);
            show(job);
            if ((string?)job["state"] != "running") return job;
            await changed.WaitAsync(TimeSpan.FromSeconds(5), CancellationToken.None);
            while (changed.CurrentCount > 0) await changed.WaitAsync(CancellationToken.None);
        }
    }

    private async Task<JsonObject> ReadAsync(string path, string @interface)
    {
        try
        {
            return (JsonObject)BusJson.Translate((await bus.CallAsync(SupervisorObject.Name, path, Properties, "GetAll", "s", @interface))[0])!;
        }
        catch (BusException e)
        {
            throw Translate(e);
        }
    }

    private static Exception Translate(BusException e) => e.Name switch
    {
        BusErrors.Failed => new DeviceFailedException(e.Text, e),
        BusErrors.Refused => new UserError(e.Text),
        "org.freedesktop.DBus.Error.ServiceUnknown" or "org.freedesktop.DBus.Error.NameHasNoOwner" or "org.freedesktop.DBus.Error.NoReply" or "org.freedesktop.DBus.Error.Disconnected" =>
            new UserError("The supervisor does not run.", "systemctl status appliance-supervisor says why."),
        "org.freedesktop.DBus.Error.AccessDenied" => new UserError("You may not do that.", "Be root or a member of the group appliance."),
        "org.freedesktop.DBus.Error.UnknownObject" => new UserError("The supervisor was started again meanwhile.", "appliancectl status says how it goes on."),
        _ => new UserError(e.Message),
    };
}
