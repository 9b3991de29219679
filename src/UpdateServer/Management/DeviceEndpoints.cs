using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Assignments;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Rollouts;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Management;

/// <summary>Devices: who there is, what they run, what they have to do.</summary>
internal static class DeviceEndpoints
{
    /// <summary>A device, as the API shows it.</summary>
    public sealed record DeviceView(string Id, string Name, DeviceState State, DateTimeOffset CreatedAt, DateTimeOffset? LastSeenAt, string? Installed, IReadOnlyDictionary<string, string> Attributes);

    /// <summary>Devices, and how many there are in all.</summary>
    public sealed record DevicePage(int Total, IReadOnlyList<DeviceView> Devices);

    /// <summary>A device to be made.</summary>
    public sealed record NewDevice(string Id, string? Name);

    /// <summary>A device's own token, which is shown once.</summary>
    public sealed record DeviceToken(string Id, string Token);

    /// <summary>A release for one device.</summary>
    public sealed record Assignment(long Release, bool Forced, bool Confirm, string? Window);

    /// <summary>An action, as the API shows it.</summary>
    public sealed record ActionView(long Id, string Release, long? Rollout, ActionState State, bool Active, DateTimeOffset CreatedAt, DateTimeOffset ChangedAt, string? Detail, IReadOnlyList<string> Messages);

    /// <summary>Adds the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/devices", ListAsync).Requires(Role.Viewer).WithSummary("Devices by filter, the most recently seen first.");
        api.MapPost("/devices", CreateAsync).Requires(Role.Admin).WithSummary("Makes a device known, and gives its token.");
        api.MapGet("/devices/{id}", GetAsync).Requires(Role.Viewer).WithSummary("One device.");
        api.MapDelete("/devices/{id}", DecommissionAsync).Requires(Role.Admin).WithSummary("Takes a device out of the fleet; it is refused from then on.");
        api.MapPost("/devices/{id}/token", RenewTokenAsync).Requires(Role.Admin).WithSummary("Gives a device a new token; the old one holds no longer.");
        api.MapPut("/devices/{id}/labels/{label}", SetLabelAsync).Requires(Role.Operator).WithSummary("Sets a label; an empty value takes it away.");
        api.MapGet("/devices/{id}/actions", ListActionsAsync).Requires(Role.Viewer).WithSummary("What a device was given, the newest first.");
        api.MapPost("/devices/{id}/actions", AssignAsync).Requires(Role.Operator).WithSummary("Gives a device a release.");
        api.MapDelete("/devices/{id}/actions/{action:long}", CancelAsync).Requires(Role.Operator).WithSummary("Calls an action off.");
    }

    private static async Task<DevicePage> ListAsync(FleetDatabase database, string? filter, int? skip, int? take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var chosen = DeviceFilter.Parse(filter ?? "").Apply(context.Devices.AsNoTracking());
        var rows = await chosen.OrderBy(device => device.LastSeenAt == null).ThenByDescending(device => device.LastSeenAt).ThenBy(device => device.Id).Skip(Math.Max(0, skip ?? 0)).Take(Math.Clamp(take ?? 50, 1, ManagementApi.MostRows)).Include(device => device.Attributes).ToListAsync(cancellationToken);
        return new DevicePage(await chosen.CountAsync(cancellationToken), await ViewAsync(context, rows, cancellationToken));
    }

    private static async Task<DeviceView> GetAsync(FleetDatabase database, string id, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return (await ViewAsync(context, [await FindAsync(context, id, cancellationToken)], cancellationToken))[0];
    }

    private static async Task<DeviceToken> CreateAsync(FleetDatabase database, TimeProvider time, HttpContext http, NewDevice given, CancellationToken cancellationToken)
    {
        if (given.Id.Length is 0 or > FleetContext.LongestName || given.Name?.Length > FleetContext.LongestName) throw new UserError($"A device's id has 1 to {FleetContext.LongestName} characters, and its name no more.");
        var (secret, hash) = SecretToken.Create();
        await database.WriteAsync(async context =>
        {
            if (await context.Devices.AnyAsync(device => device.ControllerId == given.Id, cancellationToken)) throw new UserError($"There is a device {given.Id} already.");
            context.Devices.Add(new Device { ControllerId = given.Id, Name = string.IsNullOrWhiteSpace(given.Name) ? given.Id : given.Name, TokenHash = hash, CreatedAt = time.GetUtcNow() });
            Note(context, time, http, "create", given.Id, null);
        }, cancellationToken);
        return new DeviceToken(given.Id, secret);
    }

    private static async Task<DeviceToken> RenewTokenAsync(FleetDatabase database, TimeProvider time, HttpContext http, string id, CancellationToken cancellationToken)
    {
        var (secret, hash) = SecretToken.Create();
        await database.WriteAsync(async context =>
        {
            (await FindAsync(context, id, cancellationToken)).TokenHash = hash;
            Note(context, time, http, "token", id, null);
        }, cancellationToken);
        return new DeviceToken(id, secret);
    }

    private static Task DecommissionAsync(FleetDatabase database, TimeProvider time, HttpContext http, string id, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await FindAsync(context, id, cancellationToken);
        (device.State, device.TokenHash) = (DeviceState.Decommissioned, null);
        var journal = new ActionJournal(context, time.GetUtcNow());
        foreach (var action in await context.Actions.AsNoTracking().Where(row => row.DeviceId == device.Id && row.IsActive).OrderBy(row => row.Id).ToListAsync(cancellationToken))
            await journal.EndAsync(action, ActionState.Canceled, "the device left the fleet", null, cancellationToken);
        Note(context, time, http, "decommission", id, null);
    }, cancellationToken);

    private static Task SetLabelAsync(FleetDatabase database, TimeProvider time, HttpContext http, string id, string label, LabelValue given, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await FindAsync(context, id, cancellationToken);
        if (label.Length > 100 || given.Value?.Length > FleetContext.LongestName) throw new UserError("A label has at most 100 characters, and its value at most 256.");
        var key = DeviceAttribute.LabelPrefix + label;
        var present = device.Attributes.Find(attribute => attribute.Key == key);
        if (string.IsNullOrEmpty(given.Value)) device.Attributes.RemoveAll(attribute => attribute.Key == key);
        else if (present is null) device.Attributes.Add(new DeviceAttribute { DeviceId = device.Id, Key = key, Value = given.Value });
        else present.Value = given.Value;
        Note(context, time, http, "label", id, $"{label}={given.Value}");
    }, cancellationToken);

    /// <summary>A label's value.</summary>
    public sealed record LabelValue(string? Value);

    private static async Task<IReadOnlyList<ActionView>> ListActionsAsync(FleetDatabase database, string id, int? take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var device = await FindAsync(context, id, cancellationToken);
        var actions = await context.Actions.AsNoTracking().Where(row => row.DeviceId == device.Id).OrderByDescending(row => row.Id).Take(Math.Clamp(take ?? 20, 1, ManagementApi.MostRows)).ToListAsync(cancellationToken);
        var releases = await context.NamesOfAsync(actions.Select(action => action.ReleaseId).Distinct().ToList(), cancellationToken);
        var ids = actions.Select(action => action.Id).ToList();
        var messages = (await context.Messages.AsNoTracking().Where(row => ids.Contains(row.ActionId)).OrderBy(row => row.Id).ToListAsync(cancellationToken)).ToLookup(row => row.ActionId);
        return [.. actions.Select(action => new ActionView(action.Id, releases[action.ReleaseId], action.RolloutId, action.State, action.IsActive, action.CreatedAt, action.ChangedAt, action.Detail,
            [.. messages[action.Id].Select(message => $"{message.At:u} {message.Execution} {message.Text}")]))];
    }

    private static Task<long> AssignAsync(FleetDatabase database, TimeProvider time, HttpContext http, string id, Assignment given, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await FindAsync(context, id, cancellationToken);
        if (device.State == DeviceState.Decommissioned) throw new UserError($"{id} has left the fleet.");
        var release = await context.Releases.FirstOrDefaultAsync(row => row.Id == given.Release && row.IsAvailable, cancellationToken) ?? throw new UserError($"There is no release {given.Release}.", "GET /api/v1/releases lists them.");
        if (release.Board.Length > 0 && device.Attributes.Find(attribute => attribute.Key == DeviceAttribute.Board) is { } board && board.Value != release.Board) throw new UserError($"{release.Name} {release.Version} is for {release.Board}, and {id} is a {board.Value}.");
        AssignmentTerms.RequireWindow(given.Window);
        var action = await new ActionJournal(context, time.GetUtcNow()).GiveAsync(device, release.Id, new AssignmentTerms { IsForced = given.Forced, NeedsConfirmation = given.Confirm, Window = given.Window }, cancellationToken);
        Note(context, time, http, "assign", id, $"{release.Name} {release.Version}");
        return action.Id;
    }, cancellationToken);

    private static Task CancelAsync(FleetDatabase database, TimeProvider time, HttpContext http, string id, long action, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await FindAsync(context, id, cancellationToken);
        var found = await context.Actions.AsNoTracking().FirstOrDefaultAsync(row => row.Id == action && row.DeviceId == device.Id, cancellationToken) ?? throw new MissingException($"action {action} of {id}");
        if (!found.IsActive) throw new UserError($"Action {action} is over.");
        await new ActionJournal(context, time.GetUtcNow()).CancelAsync(found, $"called off by {http.Who()}", cancellationToken);
        Note(context, time, http, "cancel", id, $"action {action}");
    }, cancellationToken);

    private static async Task<Device> FindAsync(FleetContext context, string id, CancellationToken cancellationToken) =>
        await context.Devices.Include(device => device.Attributes).FirstOrDefaultAsync(device => device.ControllerId == id, cancellationToken) ?? throw new MissingException($"device {id}");

    private static async Task<List<DeviceView>> ViewAsync(FleetContext context, IReadOnlyList<Device> devices, CancellationToken cancellationToken)
    {
        var wanted = devices.Select(device => device.InstalledReleaseId).OfType<long>().Distinct().ToList();
        var releases = await context.NamesOfAsync(wanted, cancellationToken);
        return [.. devices.Select(device => new DeviceView(device.ControllerId, device.Name, device.State, device.CreatedAt, device.LastSeenAt, device.InstalledReleaseId is { } id ? releases.GetValueOrDefault(id) : null, device.Attributes.OrderBy(attribute => attribute.Key, StringComparer.Ordinal).ToDictionary(attribute => attribute.Key, attribute => attribute.Value)))];
    }

    private static void Note(FleetContext context, TimeProvider time, HttpContext http, string what, string device, string? detail) =>
        context.Note(time.GetUtcNow(), http.Who(), $"device.{what}", $"device {device}", detail);
}
