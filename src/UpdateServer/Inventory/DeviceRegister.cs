using System.Text.Json.Serialization;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Assignments;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Rollouts;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Inventory;

/// <summary>The devices of the fleet, as people see and change them.</summary>
internal sealed class DeviceRegister(FleetDatabase database, TimeProvider time)
{
    private const int LongestLabel = 100;

    /// <summary>A device; the number is that of its row.</summary>
    public sealed record DeviceView([property: JsonIgnore] long Number, string Id, string Name, DeviceState State, DateTimeOffset CreatedAt, DateTimeOffset? LastSeenAt, DeviceHealth Health, string? HealthReason, DateTimeOffset? ReportedAt, string? Installed, IReadOnlyDictionary<string, string> Attributes);

    /// <summary>Devices, and how many there are in all.</summary>
    public sealed record DevicePage(int Total, IReadOnlyList<DeviceView> Devices);

    /// <summary>A release for one device.</summary>
    public sealed record Assignment(long Release, bool Forced, bool Confirm, string? Window);

    /// <summary>An action.</summary>
    public sealed record ActionView(long Id, string Release, long? Rollout, ActionState State, bool Active, DateTimeOffset CreatedAt, DateTimeOffset ChangedAt, string? Detail, IReadOnlyList<string> Messages);

    /// <summary>Devices that a filter names, the most recently seen first.</summary>
    /// <exception cref="UserError">The filter makes no sense.</exception>
    public async Task<DevicePage> ListAsync(string filter, int skip, int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var chosen = DeviceFilter.Parse(filter).Apply(context.Devices.AsNoTracking());
        var rows = await chosen.OrderBy(device => device.LastSeenAt == null).ThenByDescending(device => device.LastSeenAt).ThenBy(device => device.Id).Skip(Math.Max(0, skip)).Take(take).Include(device => device.Attributes).ToListAsync(cancellationToken);
        return new DevicePage(await chosen.CountAsync(cancellationToken), await ViewAsync(context, rows, cancellationToken));
    }

    /// <summary>One device.</summary>
    /// <exception cref="MissingException">There is none such.</exception>
    public async Task<DeviceView> GetAsync(string id, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return (await ViewAsync(context, [await FindAsync(context, id, cancellationToken)], cancellationToken))[0];
    }

    /// <summary>Number of a device's row.</summary>
    /// <exception cref="MissingException">There is none such.</exception>
    public async Task<long> NumberOfAsync(string id, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await context.NumberOfAsync(id, cancellationToken);
    }

    /// <summary>Makes a device known.</summary>
    /// <returns>Its token, which is shown once.</returns>
    /// <exception cref="UserError">There is one of that id already.</exception>
    public async Task<string> CreateAsync(string id, string? name, string who, CancellationToken cancellationToken)
    {
        if (id.Length is 0 or > FleetContext.LongestName || name?.Length > FleetContext.LongestName) throw new UserError($"A device's id has 1 to {FleetContext.LongestName} characters, and its name no more.");
        var (secret, hash) = SecretToken.Create();
        await database.WriteAsync(async context =>
        {
            if (await context.Devices.AnyAsync(device => device.ControllerId == id, cancellationToken)) throw new UserError($"There is a device {id} already.");
            context.Devices.Add(new Device { ControllerId = id, Name = string.IsNullOrWhiteSpace(name) ? id : name, TokenHash = hash, CreatedAt = time.GetUtcNow() });
            Note(context, who, "create", id, null);
        }, cancellationToken);
        return secret;
    }

    /// <summary>Gives a device a new token, which is shown once; the old one holds no longer. A device that had left is back with it.</summary>
    /// <exception cref="MissingException">There is none such.</exception>
    public async Task<string> RenewTokenAsync(string id, string who, CancellationToken cancellationToken)
    {
        var (secret, hash) = SecretToken.Create();
        await database.WriteAsync(async context =>
        {
            var device = await FindAsync(context, id, cancellationToken);
            Note(context, who, "token", id, device.State == DeviceState.Decommissioned ? "back in the fleet" : null);
            (device.State, device.TokenHash) = (DeviceState.Registered, hash);
        }, cancellationToken);
        return secret;
    }

    /// <summary>Takes a device out of the fleet; it is refused from then on, and what it was known by holds never again.</summary>
    /// <exception cref="MissingException">There is none such.</exception>
    public Task DecommissionAsync(string id, string who, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        // First of all: who gives it something at this moment is either seen below, or finds that it has left.
        var (device, now) = (await context.LockDeviceAsync(id, cancellationToken), time.GetUtcNow());
        await context.Devices.Where(row => row.Id == device).ExecuteUpdateAsync(set => set.SetProperty(row => row.State, DeviceState.Decommissioned).SetProperty(row => row.TokenHash, (byte[]?)null).SetProperty(row => row.RevokedAt, now), cancellationToken);
        await context.RevokeCertificatesAsync(device, now, cancellationToken);
        var journal = new ActionJournal(context, now);
        foreach (var action in await context.Actions.AsNoTracking().Where(row => row.DeviceId == device && row.IsActive).OrderBy(row => row.Id).ToListAsync(cancellationToken))
            await journal.EndAsync(action, ActionState.Canceled, "the device left the fleet", null, cancellationToken);
        Note(context, who, "decommission", id, null);
    }, cancellationToken);

    /// <summary>Sets a label; an empty value takes it away.</summary>
    /// <exception cref="UserError">It is too long.</exception>
    /// <exception cref="MissingException">There is no such device.</exception>
    public Task SetLabelAsync(string id, string label, string? value, string who, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await FindAsync(context, id, cancellationToken);
        if (label.Length is 0 or > LongestLabel || value?.Length > FleetContext.LongestName) throw new UserError($"A label has 1 to {LongestLabel} characters, and its value at most {FleetContext.LongestName}.");
        var key = DeviceAttribute.LabelPrefix + label;
        var present = device.Attributes.Find(attribute => attribute.Key == key);
        if (string.IsNullOrEmpty(value)) device.Attributes.RemoveAll(attribute => attribute.Key == key);
        else if (present is null) device.Attributes.Add(new DeviceAttribute { DeviceId = device.Id, Key = key, Value = value });
        else present.Value = value;
        Note(context, who, "label", id, $"{label}={value}");
    }, cancellationToken);

    /// <summary>What a device was given, the newest first, each with at most <see cref="ActionJournal.MostMessages"/> messages, the newest ones.</summary>
    /// <param name="device">Number of the device's row.</param>
    /// <param name="take">At most so many.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<ActionView>> ListActionsAsync(long device, int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        var actions = await context.Actions.AsNoTracking().Where(row => row.DeviceId == device).OrderByDescending(row => row.Id).Take(take).ToListAsync(cancellationToken);
        var releases = await context.NamesOfAsync(actions.Select(action => action.ReleaseId).Distinct().ToList(), cancellationToken);
        var ids = actions.Select(action => action.Id).ToList();
        var messages = (await context.Messages.AsNoTracking().Where(row => ids.Contains(row.ActionId)).OrderBy(row => row.Id).ToListAsync(cancellationToken)).ToLookup(row => row.ActionId);
        return [.. actions.Select(action => new ActionView(action.Id, releases[action.ReleaseId], action.RolloutId, action.State, action.IsActive, action.CreatedAt, action.ChangedAt, action.Detail,
            [.. messages[action.Id].TakeLast(ActionJournal.MostMessages).Select(message => $"{message.At:u} {message.Execution} {message.Text}")]))];
    }

    /// <summary>Gives a device a release.</summary>
    /// <returns>The action.</returns>
    /// <exception cref="UserError">The release is not for it.</exception>
    /// <exception cref="MissingException">There is no such device.</exception>
    public Task<long> AssignAsync(string id, Assignment given, string who, CancellationToken cancellationToken) => database.WriteAsync(context => AssignAsync(context, id, given, who, cancellationToken), cancellationToken);

    /// <summary>Gives a device a release, in a transaction that does more.</summary>
    /// <returns>The action.</returns>
    /// <exception cref="UserError">The release is not for it.</exception>
    /// <exception cref="MissingException">There is no such device.</exception>
    public async Task<long> AssignAsync(FleetContext context, string id, Assignment given, string who, CancellationToken cancellationToken)
    {
        await context.LockDeviceAsync(id, cancellationToken);
        var device = await FindAsync(context, id, cancellationToken);
        if (device.State == DeviceState.Decommissioned) throw new UserError($"{id} has left the fleet.");
        var release = await context.Releases.FirstOrDefaultAsync(row => row.Id == given.Release && row.IsAvailable, cancellationToken) ?? throw new UserError($"There is no release {given.Release}.", "GET /api/v1/releases lists them.");
        if (release.Board.Length > 0 && device.Attributes.Find(attribute => attribute.Key == DeviceAttribute.Board) is { } board && board.Value != release.Board) throw new UserError($"{release.Name} {release.Version} is for {release.Board}, and {id} is a {board.Value}.");
        AssignmentTerms.RequireWindow(given.Window);
        var action = await new ActionJournal(context, time.GetUtcNow()).GiveAsync(device, release.Id, new AssignmentTerms { IsForced = given.Forced, NeedsConfirmation = given.Confirm, Window = given.Window }, cancellationToken);
        Note(context, who, "assign", id, $"{release.Name} {release.Version}");
        return action.Id;
    }

    /// <summary>Calls an action off.</summary>
    /// <exception cref="UserError">It is over.</exception>
    /// <exception cref="MissingException">There is no such device or action.</exception>
    public Task CancelAsync(string id, long action, string who, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var device = await FindAsync(context, id, cancellationToken);
        var found = await context.Actions.AsNoTracking().FirstOrDefaultAsync(row => row.Id == action && row.DeviceId == device.Id, cancellationToken) ?? throw new MissingException($"action {action} of {id}");
        if (!found.IsActive) throw new UserError($"Action {action} is over.");
        await new ActionJournal(context, time.GetUtcNow()).CancelAsync(found, $"called off by {who}", cancellationToken);
        Note(context, who, "cancel", id, $"action {action}");
    }, cancellationToken);

    private static async Task<Device> FindAsync(FleetContext context, string id, CancellationToken cancellationToken) =>
        await context.Devices.Include(device => device.Attributes).FirstOrDefaultAsync(device => device.ControllerId == id, cancellationToken) ?? throw new MissingException($"device {id}");

    private static async Task<List<DeviceView>> ViewAsync(FleetContext context, IReadOnlyList<Device> devices, CancellationToken cancellationToken)
    {
        var wanted = devices.Select(device => device.InstalledReleaseId).OfType<long>().Distinct().ToList();
        var releases = await context.NamesOfAsync(wanted, cancellationToken);
        return [.. devices.Select(device => new DeviceView(device.Id, device.ControllerId, device.Name, device.State, device.CreatedAt, device.LastSeenAt, device.Health, device.HealthReason, device.ReportedAt, device.InstalledReleaseId is { } id ? releases.GetValueOrDefault(id) : null, device.Attributes.OrderBy(attribute => attribute.Key, StringComparer.Ordinal).ToDictionary(attribute => attribute.Key, attribute => attribute.Value)))];
    }

    private void Note(FleetContext context, string who, string what, string device, string? detail) => context.Note(time.GetUtcNow(), who, $"device.{what}", $"device {device}", detail);
}
