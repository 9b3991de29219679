using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Inventory;

/// <summary>The fleet at a glance.</summary>
internal sealed class FleetOverview(FleetDatabase database, DeviceSignals signals, AuthorityWatch authority, RenewalWatch renewals, ServeOptions options, TimeProvider time)
{
    /// <summary>How many intervals a device may miss before it counts as silent.</summary>
    private const int MissedPolls = 3;

    private const int MostVersions = 12;

    /// <summary>How many devices there are of a kind.</summary>
    public sealed record Share(string Name, int Count);

    /// <summary>Numbers of the fleet.</summary>
    /// <param name="Devices">Devices that belong to it.</param>
    /// <param name="Silent">Of them, those that have not asked for three intervals.</param>
    /// <param name="Never">Of those, the ones that never asked.</param>
    /// <param name="Connected">Devices that wait for events at this server.</param>
    /// <param name="Versions">By the version that they say they run.</param>
    /// <param name="Health">By how they say they are.</param>
    /// <param name="Actions">What is under way, by state.</param>
    /// <param name="FailedToday">Actions that failed in the last 24 hours.</param>
    /// <param name="CertificatesExpiring">Devices whose certificate ends within 7 days and was not renewed, as they were a minute ago at most; null before they were counted first.</param>
    /// <param name="AuthorityEndsAt">When the authority ends that issues certificates; null while that is more than 180 days away.</param>
    public sealed record Numbers(int Devices, int Silent, int Never, int Connected, IReadOnlyList<Share> Versions, IReadOnlyList<Share> Health, IReadOnlyList<Share> Actions, int FailedToday, int? CertificatesExpiring, DateTimeOffset? AuthorityEndsAt);

    /// <summary>Counts.</summary>
    public async Task<Numbers> CountAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var (silentSince, yesterday) = (now - MissedPolls * options.Poll, now - TimeSpan.FromDays(1));
        await using var context = database.Open();
        var devices = context.Devices.AsNoTracking().Where(device => device.State == DeviceState.Registered);
        var total = await devices.CountAsync(cancellationToken);
        var never = await devices.CountAsync(device => device.LastSeenAt == null, cancellationToken);
        var silent = never + await devices.CountAsync(device => device.LastSeenAt < silentSince, cancellationToken);
        var said = context.Attributes.AsNoTracking().Where(attribute => attribute.Key == DeviceAttribute.Version && devices.Any(device => device.Id == attribute.DeviceId));
        var known = await said.CountAsync(cancellationToken);
        var versions = await said.GroupBy(attribute => attribute.Value).Select(group => new { group.Key, Count = group.Count() })
            .OrderByDescending(share => share.Count).ThenBy(share => share.Key).Take(MostVersions).ToListAsync(cancellationToken);
        var health = await devices.GroupBy(device => device.Health).Select(group => new { group.Key, Count = group.Count() }).ToListAsync(cancellationToken);
        var actions = await context.Actions.AsNoTracking().Where(action => action.IsActive).GroupBy(action => action.State).Select(group => new { group.Key, Count = group.Count() }).ToListAsync(cancellationToken);
        var failed = await context.Actions.CountAsync(action => action.State == ActionState.Failed && action.ChangedAt > yesterday, cancellationToken);

        var shown = versions.Select(share => new Share(share.Key, share.Count)).ToList();
        if (known - versions.Sum(share => share.Count) is > 0 and var others) shown.Add(new Share("others", others));
        if (total - known is > 0 and var unknown) shown.Add(new Share("unknown", unknown));
        return new Numbers(total, silent, never, signals.Connected, shown,
            [.. health.OrderBy(share => share.Key).Select(share => new Share(Word(share.Key), share.Count))],
            [.. actions.OrderBy(share => share.Key).Select(share => new Share(Word(share.Key), share.Count))], failed, renewals.Expiring, authority.NearEnd);
    }

    private static string Word<T>(T state) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(state.ToString());
}
